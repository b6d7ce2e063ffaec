/*
 * Whose turn it is: deficit round robin over tenants. Costs are known only afterwards, so a tenant
 * is charged what its records are expected to take when they are taken and the difference when they
 * are finished; it leads a batch only with credit left. A tenant that comes with credit goes before
 * those that have been waiting for more: who asks for little waits for no round of the others. Idle
 * workers always get something.
 * Under the schedule's lock.
 */
#ifndef ESTEIRA_FRAME_SCHEDULE_FAIR_H
#define ESTEIRA_FRAME_SCHEDULE_FAIR_H

#include "frame/schedule_lane.h"

/* Tenants that came with credit and have not used it up; all others. */
enum turn { TURN_FRESH, TURN_REST, TURNS };

/* A partition with what only the schedule knows of it. */
struct source {
	struct partition partition; /* the first member: what others have is a pointer to it */
	struct ring mix[TURNS];	    /* shares with ready lanes of SHARE_TOGETHER */
	size_t mix_count;	    /* also counts those that a batch in the making holds */
	struct ring shares;	    /* all */
	int64_t cost_us;	    /* of a record: a moving average */
	size_t measured;	    /* records behind that average; before any it is a guess */
	struct share *overflow;	    /* its waiting records are to be moved; NULL = none */
	struct ring overflowing;    /* among the schedule's, while there is such a share */
};

enum share_kind { SHARE_TOGETHER, SHARE_ALONE, SHARE_KINDS };

/* What a tenant has in a source; freed with its last record. */
struct share {
	struct ring in_source; /* mix */
	struct ring of_source; /* shares */
	struct ring in_flow;   /* while any lane is ready */
	struct share *next;    /* of the flow's */
	struct flow *flow;
	struct source *source;
	struct ring ready[SHARE_KINDS]; /* lanes, by what their first record is */
	size_t count, bytes;		/* unfinished records */
	size_t moving, moving_bytes;	/* of them, taken as overflow */
	int64_t cost_us;		/* of a record: a moving average */
	struct record *open; /* while a batch is made: goes on with this record of its last lane */
};

/* A tenant; freed with its last share. */
struct flow {
	struct ring ring;  /* active, while any lane is ready */
	struct ring ready; /* shares with ready lanes */
	struct share *shares;
	struct flow *next_in_bucket;
	int64_t credit_us; /* < 0: owes */
	size_t key_len;
	char key[];
};

/* Records taken together, until the last of them is finished. */
struct batch {
	int64_t from_us;   /* taken, or when the last one was finished */
	int64_t shared_us; /* what each unfinished one has cost so far */
	size_t left;
};

enum { FLOW_BUCKETS = 1024 };

struct fair {
	struct ring active[TURNS]; /* flows with ready lanes */
	struct flow *buckets[FLOW_BUCKETS];
	size_t flows;
	uint64_t turns;
};

void schedule_fair_init(struct fair *fair);
void schedule_fair_init_source(struct source *source);
static inline struct source *schedule_fair_source(struct partition *partition)
{
	return (struct source *)partition;
}

/* A record comes into memory (sets its share) and leaves it. */
void schedule_fair_join(struct fair *fair, struct record *record);
void schedule_fair_part(struct fair *fair, const struct record *record);

/* A lane with records is ready, by its first record; the opposite. */
void schedule_fair_queue(struct fair *fair, struct lane *lane);
void schedule_fair_unqueue(struct lane *lane);
bool schedule_fair_is_idle(const struct fair *fair); /* no lane is ready */
/* After lanes were taken out of its lists one by one. */
void schedule_fair_settle(struct share *share);

struct lane *schedule_fair_first(const struct share *share, enum share_kind kind);
/* Whether it may run in one transaction with others of this source. */
bool schedule_fair_together(const struct record *record, const struct source *source);

/* Who leads: NULL when nothing is ready. *ret_kind: which of its lanes have waited longest. */
struct share *schedule_fair_pick(struct fair *fair, enum share_kind *ret_kind);

/* A record is taken in this batch: what it is expected to cost; finished: what it has cost. Frees
 * the batch with its last record. learn: it was handled, so that its cost says something. */
void schedule_fair_charge(struct record *record, struct batch *batch, int64_t expected_us);
void schedule_fair_pay(struct record *record, bool learn);

/* The moment since which the longest waiting lane could run; 0 = none. Looks at all shares with
 * ready lanes. */
int64_t schedule_fair_oldest_ms(const struct fair *fair);

#endif
