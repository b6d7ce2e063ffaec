/*
 * A claim: the leased right to do the work of one record (group, event id, epoch) outside any
 * transaction. Taken under the partition's fence, renewed while it is worked on, checked by the
 * transaction that commits the work: a rebalance neither cancels nor repeats it, a crash frees it
 * after the lease.
 */
#ifndef ESTEIRA_FRAME_CLAIM_H
#define ESTEIRA_FRAME_CLAIM_H

#include "base/arena.h"
#include "base/err.h"
#include "model/tenant.h"

struct pg;

enum { CLAIM_LEASE_MS = 15000, CLAIM_RENEW_MS = 5000 };

struct claim {
	const char *group;
	struct id event_id;
	int64_t epoch;
	struct tenant tenant;
	const char *owner; /* unique per process start */
};

/* Claims of one group and owner, of different records. They are locked in the order of their event
 * ids, so that two processes never wait for each other. */
struct claim_list {
	const struct claim *items;
	size_t count;
};

/* Takes free, lapsed or own claims in the caller's transaction. wait_ms[i] 0: it is ours; else
 * somebody else's lease ends in so many milliseconds. */
struct err claim_take(struct pg *pg, struct arena *arena, const struct claim_list *claims,
	int64_t *wait_ms) ERR_MUST_USE;

/* Locks it for the rest of the caller's transaction. *ret_ours false: it was taken over. */
struct err claim_hold(struct pg *pg, struct arena *arena, const struct claim *claim, bool *ret_ours)
	ERR_MUST_USE;

/* In the committing transaction: locks and removes them. ours[i] false: it was taken over. */
struct err claim_spend(struct pg *pg, struct arena *arena, const struct claim_list *claims,
	bool *ours) ERR_MUST_USE;

/* Queues its removal in the caller's transaction, whoever has it: its record comes to an end. */
struct err claim_end(struct pg *pg, const struct claim *claim) ERR_MUST_USE;

/* Removes those that lapsed a day ago: nobody came back to their records. */
struct err claim_forget(struct pg *pg) ERR_MUST_USE;

/* Gives up all claims of this owner. */
struct err claim_release_all(struct pg *pg, const char *owner) ERR_MUST_USE;

/* --- which claims are being worked on: only these are renewed, the others lapse --- */

struct claim_set;

/* Room for max claims at once. NULL without memory. */
struct claim_set *claim_set_new(size_t max);
void claim_set_free(struct claim_set *set); /* NULL is fine */

/* From claim_take to claim_spend or the failure of the work. Any thread. */
void claim_set_add(struct claim_set *set, const struct claim *claim);
void claim_set_remove(struct claim_set *set, const struct claim *claim);

/* Renews the leases of the set's claims that are still this owner's. */
struct err claim_set_renew(
	struct claim_set *set, struct pg *pg, struct arena *arena, const char *owner) ERR_MUST_USE;

#endif
