/*
 * The progress of all jobs that somebody of this process watches, with one blocking XREAD on a
 * connection of its own. When the set grows the read is broken off (CLIENT UNBLOCK from the other
 * connection) and begun anew. Each watch has its own position, so a read begins where the slowest
 * is and everybody gets what is new to him. Redis away: nothing comes, and it goes on when it is
 * back. Loop thread.
 */
#ifndef ESTEIRA_INTAKE_API_TAIL_H
#define ESTEIRA_INTAKE_API_TAIL_H

#include "base/err.h"
#include "base/str.h"
#include "model/rediskey.h"

struct loop;
struct redis;
struct redis_reply;
struct tail;

enum { TAIL_ID_BYTES = 42 };

/* A stream id: <milliseconds>-<sequence>. */
struct tail_id {
	uint64_t ms, seq;
};

/* False unless text is one, without signs or leading zeros being looked at. Pure. */
bool tail_id_parse(struct str text, struct tail_id *ret_id);
void tail_id_format(struct tail_id id, char *ret_text); /* TAIL_ID_BYTES */
bool tail_id_after(struct tail_id id, struct tail_id other);

struct tail_entry {
	struct tail_id id;
	struct str event; /* [a-z_]+ */
	struct str data;  /* one line; may be empty */
};

/* One entry of an XRANGE or XREAD answer; false when it is not one of ours. Borrows. */
bool tail_entry_read(const struct redis_reply *reply, struct tail_entry *ret_entry);

/* Owned by who watches; last is where he is and moves before entry() is called. */
struct tail_watch {
	struct tail_watch *next;
	char key[REDISKEY_BYTES];
	struct tail_id last;
	/* tail_remove of this watch is allowed inside. */
	void (*entry)(struct tail_watch *watch, const struct tail_entry *entry);
};

/* redis: for commands that answer at once; blocking: for nothing but the read. ERR_FATAL
 * out-of-memory. */
struct err tail_open(struct loop *loop, struct redis *redis, struct redis *blocking,
	struct tail **ret_tail) ERR_MUST_USE;

/* No watch may be left. Memory goes when the last command has answered: the connections are closed
 * later. */
void tail_close(struct tail *tail);

void tail_add(struct tail *tail, struct tail_watch *watch);
void tail_remove(struct tail *tail, struct tail_watch *watch); /* not there is fine */

#endif
