/*
 * A secret that may change while we run: the content of a file, looked at when it is used but at
 * most once a second, so that passwords are rotated without a restart. A file that cannot be read,
 * is empty or too large leaves the last good value in force. The value lives in pages of its own
 * that are in no core (MADV_DONTDUMP) and, where the limits allow, not in swap; it is wiped when
 * another one takes its place and at the end. Symbolic links are followed each time, so the swap of
 * "..data" by which Kubernetes renews a mounted Secret is a change like any other.
 *
 * Any thread; calls of one secret serialise.
 */
#ifndef ESTEIRA_BASE_SECRET_H
#define ESTEIRA_BASE_SECRET_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { SECRET_BYTES = 4096 }; /* the longest value without limit of its own, with its NUL */

struct secret;
struct stat;

/* May nobody but us read or write the file? Mode 0600 or 0400, or 0440 of a group of ours: that is
 * what a Secret is mounted with in Kubernetes for a user who is not root. */
bool secret_is_private(const struct stat *file);

struct secret_conf {
	const char *path;   /* of the file; NULL: text is the value and stays it */
	const char *text;   /* used when path is NULL */
	size_t size;	    /* longest value + 1, bytes; 0: SECRET_BYTES; at most 1 MiB */
	bool is_binary;	    /* as it is; else CR and LF at the end are cut and a NUL is refused */
	bool is_owner_only; /* refuses a file that is not secret_is_private */
};

/* Reads it for the first time; copies conf. ERR_FATAL bad-config with a static sentence (file
 * missing, not a regular one, empty, too large, NUL, mode); ERR_FATAL out-of-memory. */
struct err secret_open(const struct secret_conf *conf, struct secret **ret_secret) ERR_MUST_USE;

/* Wipes it. NULL is fine. */
void secret_free(struct secret *secret);

/* The current value: length; ret_bytes takes the size of conf (SECRET_BYTES by default) and always
 * ends in a NUL that is not counted. The caller wipes what it was given. *ret_generation (may be
 * NULL) counts values from 1 on. */
size_t secret_copy(struct secret *secret, char *ret_bytes, uint64_t *ret_generation);

/* The generation alone: has it changed since it was copied? */
uint64_t secret_generation(struct secret *secret);

/* Whoever checks the value has refused the one of that generation: looks at the file at once. True
 * when there is another value now, so that one more try makes sense. */
bool secret_renew(struct secret *secret, uint64_t refused_generation);

/* What happened since the last call, to be logged: each change once, each kind of fault once. */
struct secret_news {
	bool changed;	   /* another value is in force */
	const char *fault; /* why the file's present content is not: static; NULL: it is */
	uint64_t generation;
	size_t len; /* of the value in force */
};

/* Looks at the file like secret_generation. False: nothing is new. */
bool secret_take_news(struct secret *secret, struct secret_news *ret_news);

/* Overwrites memory that held a copy; the compiler does not leave it out. */
void secret_wipe(void *bytes, size_t len);

#endif
