/*
 * Whether this intake has the right master key: seen at the start, not by the first partner. A
 * roll-out with a wrong one stops at its first pod.
 */
#ifndef ESTEIRA_INTAKE_TENANT_PROVE_H
#define ESTEIRA_INTAKE_TENANT_PROVE_H

#include "base/arena.h"
#include "base/err.h"

struct intake;
struct pg;

/* Opens the key of one of the newest tenants; without tenants there is nothing to prove. frame: a
 * connection as esteira_frame_intake outside of a transaction; another one is opened and closed.
 * ERR_FATAL bad-config: a file that opens none of them. ERR_RETRY keys-away, keys-refused: a key
 * service says so, and health too; failures of port/pg. A thread that may wait for seconds. */
struct err prove_master(struct intake *intake, struct pg *frame, struct arena *arena) ERR_MUST_USE;

#endif
