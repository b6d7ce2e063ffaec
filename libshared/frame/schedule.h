/*
 * What has been fetched and not yet finished: lanes, one per (tenant, ordering key), each worked
 * through in order by one worker at a time. Tenants (the bytes of the record key) share the workers
 * by deficit round robin over the time their records take. Knows for every partition which offset
 * may be committed. The poll thread adds, workers take and finish; all functions lock inside.
 */
#ifndef ESTEIRA_FRAME_SCHEDULE_H
#define ESTEIRA_FRAME_SCHEDULE_H

#include "base/err.h"
#include "base/str.h"
#include "frame/route.h"
#include "model/envelope.h"
#include "model/tenant.h"

enum { SCHEDULE_BATCH_MAX = 200, SCHEDULE_OVERFLOW_MAX = 250 };
enum { SCHEDULE_TAKE_MAX = SCHEDULE_OVERFLOW_MAX }; /* the larger of the two */

struct schedule;
struct lane;
struct share;
struct batch;

/* Where records come from. */
enum source_kind {
	SOURCE_LOG,    /* the group's own position in a partition */
	SOURCE_PARKED, /* rows of parked that are due */
	SOURCE_SIDE,   /* a side replay below the group's position */
};

/* A source of records of one partition we own: its log, what is parked of it, a side replay. Made
 * at assignment; lives until its last record is finished, also after the revocation (gone is set
 * then). */
struct partition {
	const char *topic; /* interned by the consumer */
	int32_t number;
	enum source_kind source;
	int64_t fence;
	int64_t doubt_ms; /* wall: effects of older events may be lost; 0 = none */
	bool gone;
	int64_t next;		     /* offset after the last record added */
	struct record *first, *last; /* unfinished, as added */
	size_t count, bytes;	     /* of them: a finished record is freed at once */
};

enum record_state { RECORD_WAITING, RECORD_RUNNING };

/* What a record brings along beside its bytes. */
struct record_past {
	int64_t epoch;	   /* of the replay it belongs to; 0 = none */
	int64_t parked_id; /* its row in parked; 0 = none */
	struct id dead_id; /* the dead letter it is a redrive of; nil = none */
	int64_t first_ms;  /* of its first failure, wall clock; 0 = never failed */
	int64_t here_ms;   /* of its first failure since it was read, monotonic; 0 = none */
	int attempts;	   /* answers about this record so far, not outages */
	int tries;	   /* failed ones in a row since it was read */
	bool overflow;	   /* to be parked unhandled: its tenant fills the window */
	bool suspect;	   /* it may have ended a process: journal before handling */
	bool noted;	   /* it stands in the journal because of us */
};

struct record_links {
	struct record *next, *prev; /* in the partition */
	struct record *next_in_lane, *prev_in_lane;
	struct lane *lane;
	struct share *share; /* its tenant's in its partition */
	struct batch *batch; /* what it was taken with */
	int64_t charged_us;  /* to its tenant when taken */
	int64_t added_ms;    /* monotonic */
	size_t bytes;
};

/* One record; key, value and headers (packed) are its own copies behind the struct. */
struct record {
	struct partition *partition;
	int64_t offset;
	const struct route *route; /* NULL: to be dead-lettered with why */
	struct err why;
	struct str key, value, headers, lane_key; /* lane_key: tenant | ordering key */
	struct record_past past;
	int64_t cost_us; /* set by the worker before schedule_finish: how long its handler took; 0 =
			    its part of the time since its batch was taken */
	enum record_state state;
	struct record_links link; /* the schedule's */
};

enum schedule_outcome {
	SCHEDULE_DONE,	/* committed, dead-lettered or a duplicate: its offset is done */
	SCHEDULE_LATER, /* back to the head of its lane, not before delay_ms */
};

/* NULL without memory. */
struct schedule *schedule_new(void);
void schedule_free(struct schedule *schedule);

/* A new source of records; ends with schedule_revoke. NULL without memory. */
struct partition *schedule_assign(struct schedule *schedule, enum source_kind source,
	const char *topic, int32_t number, int64_t fence);

/* Forgets every partition: records not in a worker's hands are dropped. */
void schedule_revoke(struct schedule *schedule);

/* record: made by schedule_record, owned by the schedule from now on. One of a SOURCE_PARKED source
 * goes behind the last such one of its lane and before what else waits there, all others to the
 * end. */
void schedule_add(struct schedule *schedule, struct record *record);

/* A record at this offset needs no work: the partition steps over it. */
void schedule_pass(struct schedule *schedule, struct partition *partition, int64_t offset);

/* The lane of a record, "tenant|ordering key": records of a lane are handled in order. */
void schedule_lane_key(struct str key, const struct headers *headers, struct buf *out);

/* A record with copies of the parts in one allocation; NULL without memory. */
struct record *schedule_record(
	struct str key, struct str value, struct str headers, struct str lane_key);

/*
 * Waits for something runnable. Returns how many records (their lanes are ours until
 * schedule_finish), or 0 after schedule_stop; ret_records has room for SCHEDULE_TAKE_MAX. One of
 *   - a single ROUTE_WORK record, or one without a route;
 *   - up to SCHEDULE_BATCH_MAX ROUTE_TXN records of one partition, a few of each tenant, as many as
 *     should take about 100 ms by what such records took before;
 *   - up to SCHEDULE_OVERFLOW_MAX records of one SOURCE_LOG partition, all with past.overflow set
 *     (nothing else has it): the window was full and one tenant held at least half of it. They come
 *     before all else of the partition, until it holds less than a quarter of a window; lanes that
 *     wait for a due time stay.
 * Records of a lane stand together, in order.
 */
size_t schedule_take(struct schedule *schedule, struct record **ret_records);

/* Gives back what schedule_take gave; call it for every record, in the order taken, when its time
 * is over: what passes between two calls is the cost of the records that are not given back yet. */
void schedule_finish(struct schedule *schedule, struct record *record,
	enum schedule_outcome outcome, int64_t delay_ms);

/* Whether the lane holds records of a SOURCE_PARKED source. */
bool schedule_is_loaded(struct schedule *schedule, struct str lane_key);

/* Forgets the waiting SOURCE_PARKED records of a lane, as if they were done: their rows stay in
 * Postgres. */
void schedule_drop_lane_parked(struct schedule *schedule, struct str lane_key);

/* Workers get nothing more. */
void schedule_stop(struct schedule *schedule);
bool schedule_is_stopped(struct schedule *schedule);

/* The offset that may be committed: of the first unfinished record, or partition->next. */
int64_t schedule_watermark(struct schedule *schedule, struct partition *partition);

/* Whether the partition holds more than its window and reading should pause (full), or little
 * enough to resume. SOURCE_LOG: 2000 records or 4 MiB, else 500 or 1 MiB; 10,000 offsets from the
 * first unfinished one on (not for SOURCE_PARKED); 16 MiB of all together. Room: half of it. */
bool schedule_is_full(struct schedule *schedule, struct partition *partition);
bool schedule_has_room(struct schedule *schedule, struct partition *partition);

struct schedule_view {
	size_t records, bytes, running, delayed;
	size_t idle;		     /* workers that wait for something runnable */
	size_t tenants;		     /* with records in memory */
	int64_t oldest_runnable_ms;  /* how long the oldest runnable lane has waited; 0 = none */
	int64_t oldest_unhandled_ms; /* age of the oldest record in memory; 0 = none */
	/* how long a worker has had a record that holds its partition back, by kind of its route */
	int64_t longest_txn_ms, longest_work_ms;
};
void schedule_look(struct schedule *schedule, struct schedule_view *ret_view);

#endif
