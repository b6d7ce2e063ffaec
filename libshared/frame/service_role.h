/*
 * The Postgres roles a service may start with: none that could bypass row-level security, which
 * would make every policy a decoration. For frame/service.c alone.
 */
#ifndef ESTEIRA_FRAME_SERVICE_ROLE_H
#define ESTEIRA_FRAME_SERVICE_ROLE_H

#include "base/arena.h"
#include "base/err.h"

struct engine_names;

/* Asks Postgres about each role of names, and waits for it: it may come up after us, but a wrong
 * role never becomes right. ERR_FATAL unsafe-role, out-of-memory, or what pg_query says beside
 * ERR_RETRY; its message in arena. Main thread, before the loop runs. */
struct err service_role_check(const struct engine_names *names, struct arena *arena) ERR_MUST_USE;

#endif
