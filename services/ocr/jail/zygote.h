/*
 * The process everything hostile descends from: single-threaded, the model loaded, no descriptor
 * but its socket. It forks on request, reaps, reports, and kills a child as soon as nobody waits
 * for it.
 */
#ifndef ESTEIRA_OCR_JAIL_ZYGOTE_H
#define ESTEIRA_OCR_JAIL_ZYGOTE_H

#include <stdbool.h>
#include <stdint.h>

struct engine;
struct zygote;

/* Takes over socket_fd (requests). required: children without landlock and seccomp end at once.
 * NULL without memory or descriptors. */
struct zygote *zygote_new(int socket_fd, struct engine *engine, bool required);

/* Serves until the other side hangs up, then kills what still runs. Returns the exit status. */
int zygote_serve(struct zygote *zygote);

void zygote_free(struct zygote *zygote);

#endif
