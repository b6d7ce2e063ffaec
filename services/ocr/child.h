/*
 * One process of the jail as the worker sees it: a control socket that reports its end, and maybe
 * its output. Letting go of the control socket kills it, so nothing outlives who asked for it.
 */
#ifndef ESTEIRA_OCR_CHILD_H
#define ESTEIRA_OCR_CHILD_H

#include "base/err.h"
#include "base/str.h"

#include <stddef.h>
#include <stdint.h>

#include "jail/request.h"

struct jailer;

/* Zero-initialised, then started; idle again after child_stop. */
struct child {
	bool busy; /* report or output is still to come */
	struct jailer *jailer;
	unsigned zygote; /* whose child it is */
	enum jail_task task;
	int control_fd; /* -1: the report is there */
	int output_fd;	/* -1: at its end, or somebody else's */
	int64_t until_ms;
	uint64_t memory_bytes;
	uint64_t output_left_bytes;
	bool cut_off; /* ended by us: too long, or too much said */
	struct jail_report report;
	void (*sink)(void *arg, struct str bytes);
	void *arg;
};

/* Where the child reads and writes. output_fd -1: a pipe is made and its bytes, at most
 * output_max_bytes, go to sink(arg). Descriptors stay the caller's. */
struct child_wiring {
	int input_fd;
	int output_fd;
	uint64_t output_max_bytes;
	void (*sink)(void *arg, struct str bytes);
	void *arg;
};

/* Errors of jailer_ask. jailer must outlive the child. */
struct err child_start(struct jailer *jailer, const struct jail_request *request,
	const struct child_wiring *wiring, struct child *ret_child) ERR_MUST_USE;

/* Waits until something happens to one of children (idle ones are passed over), wake_fd is readable
 * (-1: none) or until_ms has come (clock_mono_ms()), and takes in what happened. ERR_RETRY for
 * which jailer_is_gone is true: the zygote died, and the children with it. */
struct err child_wait(struct child *const *children, size_t count, int wake_fd, int64_t until_ms)
	ERR_MUST_USE;

/* Kills it if it runs, and closes its descriptors. */
void child_stop(struct child *child);

/* To be asked once: it is counted. How an ended child did: NONE, RESOURCE_LIMIT or BROKEN.
 * ERR_FATAL: its cage could not be built; ERR_RETRY: there was no process for it. */
struct err child_outcome(const struct child *child, enum err_code *ret_outcome) ERR_MUST_USE;

#endif
