/*
 * The worker's end of the jail: starts the zygote (jail/zygote.h), passes requests to it, and
 * replaces it when it dies. It is a program of its own and spawned without running a line of ours
 * between fork and exec, so threads are no obstacle; it ends when its socket is hung up.
 */
#ifndef ESTEIRA_OCR_JAILER_H
#define ESTEIRA_OCR_JAILER_H

#include "base/err.h"

#include <pthread.h>
#include <stdint.h>

struct jail_request;
struct metric;

enum { JAILER_RESTARTS_MAX = 5 };

/* The lock is for everything but missing and path, which stay as they are. */
struct jailer {
	pthread_mutex_t lock;
	char *path;
	bool required;
	uint32_t missing; /* set of enum jail_missing */
	int socket_fd;	  /* -1: the zygote is gone */
	int pid;
	_Atomic unsigned restarts; /* also the zygote's number */
	int64_t restarted_ms[JAILER_RESTARTS_MAX];
	struct metric *children; /* counted by child_outcome; may be NULL */
};

/* Executes path and waits until it is ready. ERR_FATAL: no-sandbox (required and refused by the
 * kernel), bad-config (no such program), internal. */
struct err jailer_start(const char *path, bool required, struct jailer *ret_jailer) ERR_MUST_USE;

/* Kills the zygote, and so all its children, and waits for it. Nobody else may use jailer. */
void jailer_stop(struct jailer *jailer);

/* Sends one request; fds = control, input, output stay the caller's. A zygote that is gone is
 * replaced first (0.2 s). *ret_zygote says which one took it. Any thread. ERR_FATAL: no zygote can
 * be started, or more than JAILER_RESTARTS_MAX were within a minute; ERR_RETRY: out of descriptors
 * or processes. */
struct err jailer_ask(struct jailer *jailer, const struct jail_request *request, const int *fds,
	unsigned *ret_zygote) ERR_MUST_USE;

/* A control socket ended without a report: that zygote is done with. Any thread. Answers an error
 * for which jailer_is_gone is true; the same may be asked again. */
struct err jailer_lost(struct jailer *jailer, unsigned zygote) ERR_MUST_USE;
bool jailer_is_gone(struct err e);

#endif
