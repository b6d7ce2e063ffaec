/*
 * Workers that hold one record each and need a transaction at the same moment share one: with 200
 * calls outside under way, two transactions for each would cost more than the calls. Who comes
 * while all connections are busy waits, and is taken along by the next who gets one. A worker that
 * is alone has its transaction at once; a batch that fails is repeated record by record.
 */
#ifndef ESTEIRA_FRAME_GATHER_H
#define ESTEIRA_FRAME_GATHER_H

#include "frame/transact.h"

struct gather;

enum { GATHER_MAX = 64 };

/* leaders: so many transactions at once, the connections of the workers' pool. NULL without memory.
 */
struct gather *gather_new(unsigned leaders);
void gather_free(struct gather *gather); /* NULL is fine */

/* transact_work_claim and transact_work_spend of one task, together with those of others. Texts of
 * failures are in t's arena. Worker thread. */
struct err gather_claim(struct gather *gather, const struct transact *t, struct task *task)
	ERR_MUST_USE;
struct err gather_spend(struct gather *gather, const struct transact *t, struct task *task)
	ERR_MUST_USE;

#endif
