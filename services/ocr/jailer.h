/*
 * The worker's end of the jail: starts the zygote (jail/zygote.h) and passes requests to it.
 */
#ifndef ESTEIRA_OCR_JAILER_H
#define ESTEIRA_OCR_JAILER_H

#include "base/err.h"

#include <stdint.h>

struct jail_request;

struct jailer {
	int socket_fd;
	int pid;
	uint32_t missing; /* set of enum jail_missing */
};

/* Executes path and waits until it is ready. No other thread may exist; the zygote dies with the
 * calling one. ERR_FATAL: no-sandbox (required and refused by the kernel), bad-config (no such
 * program), internal. */
struct err jailer_start(const char *path, bool required, struct jailer *ret_jailer) ERR_MUST_USE;

/* Kills the zygote, and so all its children, and waits for it. */
void jailer_stop(struct jailer *jailer);

/* Sends one request; fds = control, input, output stay the caller's. Any thread. ERR_FATAL: the
 * zygote is gone; ERR_RETRY: out of descriptors. */
struct err jailer_ask(const struct jailer *jailer, const struct jail_request *request,
	const int *fds) ERR_MUST_USE;

/* The failure of a control socket that ended without a report. */
struct err jailer_gone(void) ERR_MUST_USE;

#endif
