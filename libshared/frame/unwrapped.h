/*
 * Tenants' keys in clear, for a while: a bounded cache between the rows of intake.tenant_keys and
 * whoever unwraps them. Keys live in locked memory that is in no core, and are wiped when they are
 * pushed out, were opened too long ago, have not been asked for, or at the end. However many ask
 * for the same key at once, it is opened once. Any thread; a caller may wait for another one's
 * opening.
 */
#ifndef ESTEIRA_FRAME_UNWRAPPED_H
#define ESTEIRA_FRAME_UNWRAPPED_H

#include "base/err.h"
#include "base/str.h"
#include "port/seal_key.h"

struct unwrapped;

struct unwrapped_conf {
	size_t keys_max;
	int64_t ttl_ms;	 /* since it was opened */
	int64_t idle_ms; /* since it was asked for */
	/* Opens a row's key; runs without a lock and may take seconds. Messages of failures are
	 * static. */
	struct err (*open)(void *arg, const struct seal_key_row *row, struct str wrapped,
		struct seal_key *ret_key);
	void *arg;
};

/* Copies conf. NULL without memory. */
struct unwrapped *unwrapped_new(const struct unwrapped_conf *conf);

/* Wipes and frees; nobody asks any more. NULL is fine. */
void unwrapped_free(struct unwrapped *unwrapped);

/* The key of this row with this wrapping, known or opened now; the caller wipes it. *ret_known says
 * which. Failures of conf.open, also when another caller's opening was waited for; nothing is kept
 * of them. */
struct err unwrapped_get(struct unwrapped *unwrapped, const struct seal_key_row *row,
	struct str wrapped, struct seal_key *ret_key, bool *ret_known) ERR_MUST_USE;

/* Wipes the keys of a tenant, and does not keep those that are being opened. */
void unwrapped_forget(struct unwrapped *unwrapped, struct tenant tenant);

/* Wipes what is over. To be called once a second. */
void unwrapped_sweep(struct unwrapped *unwrapped);

#endif
