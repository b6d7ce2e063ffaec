/*
 * Dead letters that need no person go back by themselves: what failed for a reason that passes,
 * when it seems to have passed, and what another version of the program could not read, once this
 * version is there. Everything else waits for a decision.
 */
#ifndef ESTEIRA_FRAME_REDRIVE_H
#define ESTEIRA_FRAME_REDRIVE_H

#include "base/arena.h"
#include "base/err.h"

struct pg;

/* Of a class and call; after so many a letter waits for a person. 10 and 3 also stand in the SQL.
 */
enum { REDRIVE_BATCH = 10, REDRIVE_TIMES = 3 };

/*
 * One turn, to be called about once a second, by one process of the group at a time, as the frame's
 * role. Oldest first, REDRIVE_BATCH of each class:
 *
 *   transient  open for 60 s, redriven less than REDRIVE_TIMES times, no letter of its group, class
 *              and tenant died within 60 s, and no brake keeps records of its tenant back
 *   schema     died of an older version than this one ("1.2.3"; what stands behind the numbers does
 *              not count); again after 10 minutes when such a one got hold of it once more
 *
 * Outside of a transaction. Failures: pg_query.
 */
struct err redrive_turn(struct pg *pg, struct arena *arena, const char *group, const char *version)
	ERR_MUST_USE;

#endif
