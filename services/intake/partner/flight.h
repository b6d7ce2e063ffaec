/*
 * What was read from partners' topics and is not yet done, partition by partition: how far each may
 * be committed, how much more may be taken, and from where it is to be read again. A record that
 * cannot be taken now is not kept: its partition is held and later read on from there, so whatever
 * one partition suffers the others go on. One thread; no Kafka in here.
 */
#ifndef ESTEIRA_INTAKE_PARTNER_FLIGHT_H
#define ESTEIRA_INTAKE_PARTNER_FLIGHT_H

#include "partner/book.h"
#include "port/kafka.h"

enum {
	FLIGHT_MAX = 4096,	  /* records under way in all */
	FLIGHT_PLACE_MAX = 1024,  /* of one partition */
	FLIGHT_NONE = FLIGHT_MAX, /* no slot */
};

/* A partition that is ours. */
struct flight_place {
	const char *topic; /* interned by the consumer */
	int32_t partition;
	char partner[PARTNER_SLUG_BYTES];
	int64_t next;		/* the offset after the last record taken; -1 = none was */
	int64_t committed;	/* what was said last; -1 = nothing */
	int64_t back_to;	/* held: read on from here; -1 = not held */
	int64_t rest_until_ms;	/* held at least until then (monotonic) */
	uint32_t first, last;	/* slots in the order of offsets; FLIGHT_NONE = none */
	uint32_t count, window; /* slots used, and how many may be */
	bool paused;		/* as the consumer was told */
	bool sought;		/* nothing was taken since it was let go: its position is old */
};

/* A record under way. */
struct flight_slot {
	struct flight_place *place; /* NULL: nobody waits for it any more */
	int64_t offset;
	uint32_t next; /* of its place, or of the free ones */
	bool done;
	bool refused; /* it is on its way to the partner's DLQ */
};

struct flight {
	struct flight_slot slots[FLIGHT_MAX];
	uint32_t free, used;
	struct flight_place *places; /* sorted by topic (the pointer) and partition */
	size_t place_count;
};

/* Nothing is ours, nothing under way. NULL without memory. */
struct flight *flight_new(void);
void flight_free(struct flight *flight); /* NULL is fine */

/* These partitions are ours (after flight_forget); their topics are named prefix "partner." SLUG
 * ".in", others are left out. They are told paused, so that the first turn resumes them: a pause
 * outlives a reassignment in librdkafka. ERR_FATAL out-of-memory. */
struct err flight_assign(struct flight *flight, const char *prefix,
	const struct kafka_place *places, size_t count) ERR_MUST_USE;

/* Nothing is ours; what is under way is waited for, and by nobody. */
void flight_forget(struct flight *flight);

/* The partition of ours, or NULL. */
struct flight_place *flight_find(const struct flight *flight, const char *topic, int32_t partition);

bool flight_is_full(const struct flight *flight);

/* A slot for the record at offset; FLIGHT_NONE: no room in its partition or at all. */
uint32_t flight_add(struct flight *flight, struct flight_place *place, int64_t offset);

/* The record of this slot is done, and the slot is free. */
void flight_end(struct flight *flight, uint32_t slot);

/* It is not, and never will be: its partition is read again from the first unfinished record on,
 * until_ms at the earliest, one record at a time until one is done. */
void flight_fail(struct flight *flight, uint32_t slot, int64_t until_ms);

/* The same for everything under way: nothing more will be heard of any slot. */
void flight_fail_all(struct flight *flight, int64_t until_ms);

/* Its record at offset was not taken. Nothing when it is held already. */
void flight_hold(struct flight_place *place, int64_t offset, int64_t until_ms);

/* May a held partition go on? Half of its window must be free, and half of all. */
bool flight_may_go_on(
	const struct flight *flight, const struct flight_place *place, int64_t now_ms);

/* The first offset that is not done; -1 when nothing was taken. */
int64_t flight_mark(const struct flight *flight, const struct flight_place *place);

#endif
