/*
 * One Postgres connection, used by one thread at a time, always in libpq's pipeline mode: pg_push
 * queues a statement without waiting, pg_query sends all that is queued plus one statement and
 * reads the answers, so a transaction costs as many round trips as it has questions. Statements are
 * prepared once per connection, but for one through a pooler. Sources: PostgreSQL manual 34.5
 * "Pipeline Mode", appendix A (SQLSTATE).
 */
#ifndef ESTEIRA_PORT_PG_H
#define ESTEIRA_PORT_PG_H

#include "base/arena.h"
#include "base/err.h"
#include "base/id.h"
#include "model/codec.h"
#include "model/tenant.h"
#include "port/ear.h"

struct pg;
struct pg_rows;
struct secret;

struct pg_conf {
	const char *url;	 /* libpq URI; NULL: live_url */
	const char *application; /* application_name, at most 63 bytes */
	int idle_session_ms;	 /* the server ends the session when it is idle longer; 0 = never */
	int answer_ms; /* so long without an answer, and the server is away; 0 = 35 s, which is more
			* than it gives a statement */
	/* used, not owned; the current value counts at each connect, and when the server refuses it
	 * the file is looked at again and, if it changed, one more try is made */
	struct secret *live_url; /* only without url */
	struct secret *password; /* NULL: as the URL says */
	bool pooled; /* a pooler (PgBouncer) gives a session for one transaction at a time: nothing
		      * is asked of the session, statements are not prepared, and the time limits
		      * are those of the role; no pg_listen */
	struct ear ear; /* of each round trip that was answered */
};

/* A statement with its name; identity is the address, so statements are static const. */
struct pg_statement {
	const char *name; /* unique in the process, [a-z_] */
	const char *sql;
};

enum pg_kind {
	PG_KIND_NULL,
	PG_KIND_TEXT,
	PG_KIND_INT,
	PG_KIND_REAL,
	PG_KIND_BOOL,
	PG_KIND_ID,
	PG_KIND_BYTES,
	PG_KIND_TIME,
	PG_KIND_ARRAY,
};

struct pg_array;

struct pg_arg {
	enum pg_kind kind;
	struct str bytes;
	int64_t number;
	double real;
	struct id id;
	const struct pg_array *array;
};

/* The parameter types a statement can take. Texts and bytes are borrowed until the call returns. */
static inline struct pg_arg pg_null(void)
{
	return (struct pg_arg){ .kind = PG_KIND_NULL };
}

static inline struct pg_arg pg_text(const char *text) /* NULL = SQL NULL */
{
	return (struct pg_arg){ .kind = text == NULL ? PG_KIND_NULL : PG_KIND_TEXT,
		.bytes = str_of(text) };
}

static inline struct pg_arg pg_int(int64_t number)
{
	return (struct pg_arg){ .kind = PG_KIND_INT, .number = number };
}

static inline struct pg_arg pg_real(double real)
{
	return (struct pg_arg){ .kind = PG_KIND_REAL, .real = real };
}

static inline struct pg_arg pg_bool(bool truth)
{
	return (struct pg_arg){ .kind = PG_KIND_BOOL, .number = truth };
}

static inline struct pg_arg pg_id(struct id id)
{
	return (struct pg_arg){ .kind = PG_KIND_ID, .id = id };
}

static inline struct pg_arg pg_bytes(struct str bytes) /* ptr NULL = SQL NULL */
{
	return (struct pg_arg){ .kind = bytes.ptr == NULL ? PG_KIND_NULL : PG_KIND_BYTES,
		.bytes = bytes };
}

static inline struct pg_arg pg_time(int64_t wall_ms)
{
	return (struct pg_arg){ .kind = PG_KIND_TIME, .number = wall_ms };
}

static inline struct pg_arg pg_time_or_null(int64_t wall_ms) /* CODEC_NO_INT = SQL NULL */
{
	return wall_ms == CODEC_NO_INT ? pg_null() : pg_time(wall_ms);
}

static inline struct pg_arg pg_list(const struct pg_array *array)
{
	return (struct pg_arg){ .kind = PG_KIND_ARRAY, .array = array };
}

/* A one-dimensional array parameter, for one statement over many rows (unnest). */
struct pg_array *pg_array_new(struct arena *arena, enum pg_kind element, size_t max_items);
/* Adds one element of the array's kind, or NULL. ERR_REJECT record-too-large when it is full. */
struct err pg_array_add(struct pg_array *array, struct pg_arg element) ERR_MUST_USE;

/* Connects at first use. NULL without memory. pg_close(NULL) is fine. */
struct pg *pg_new(const struct pg_conf *conf);
void pg_free(struct pg *pg);

/*
 * All calls: ERR_RETRY postgres-away (connection lost or refused; the next call connects anew),
 * ERR_RETRY try-again (serialization, deadlock, lock or statement timeout), ERR_RETRY timeout (we
 * left a transaction idle for 5 s), ERR_REJECT bad-record
 * (the server refuses a value: class 22, or a constraint refuses the row: class 23), ERR_FATAL
 * internal (anything else is our bug). Their messages live until the connection's next failure.
 */

/* Queues a statement; its failure appears at the next pg_query/pg_sync. */
struct err pg_push(struct pg *pg, const struct pg_statement *statement, const struct pg_arg *args,
	size_t count) ERR_MUST_USE;

/* The same for a row that no constraint can refuse unless we have a bug: there class 23 is
 * ERR_FATAL internal. */
struct err pg_push_sound(struct pg *pg, const struct pg_statement *statement,
	const struct pg_arg *args, size_t count) ERR_MUST_USE;

/* Runs the statement after everything queued. Rows live until the arena is reset. */
struct err pg_query(struct pg *pg, struct arena *arena, const struct pg_statement *statement,
	const struct pg_arg *args, size_t count, const struct pg_rows **ret_rows) ERR_MUST_USE;

/* Runs everything queued. */
struct err pg_sync(struct pg *pg) ERR_MUST_USE;

/* Before work on a connection that may have lain idle: if the server has gone meanwhile (a restart,
 * idle_session_timeout) the connection is closed, and the next call connects anew instead of
 * failing. No round trip within a second of the last use; never inside a transaction. Not for who
 * holds something of the session (a lock, LISTEN). */
void pg_refresh(struct pg *pg);

/* pg_refresh, then pg_push of BEGIN; of COMMIT, then pg_sync; ROLLBACK now (also drops what is
 * queued; a lost connection is no failure of it). */
struct err pg_begin(struct pg *pg) ERR_MUST_USE;
struct err pg_commit(struct pg *pg) ERR_MUST_USE;
void pg_rollback(struct pg *pg);

/* Names the tenant whose rows the transaction may see (row-level security); queued. */
struct err pg_set_tenant(struct pg *pg, struct tenant tenant) ERR_MUST_USE;

/* LISTEN on a channel ([a-z_]), until the connection ends. */
struct err pg_listen(struct pg *pg, const char *channel) ERR_MUST_USE;

/* The socket of the open connection (-1 when closed) for waiting on notifications, and a look
 * whether one has arrived (reads what is there, does not block). */
int pg_socket(const struct pg *pg);
bool pg_take_notification(struct pg *pg);

size_t pg_count(const struct pg_rows *rows);
bool pg_is_null(const struct pg_rows *rows, size_t row, int column);
int64_t pg_get_int(const struct pg_rows *rows, size_t row, int column); /* int2, int4, int8, bool */
double pg_get_real(const struct pg_rows *rows, size_t row, int column); /* float4, float8 */
int64_t pg_get_time(const struct pg_rows *rows, size_t row, int column); /* timestamptz, wall ms */
struct id pg_get_id(const struct pg_rows *rows, size_t row, int column); /* uuid; nil when NULL */
struct str pg_get_bytes(const struct pg_rows *rows, size_t row, int column);
const char *pg_get_text(const struct pg_rows *rows, size_t row, int column); /* NULL when NULL */

/* A few connections shared by more threads: take blocks until one is free. */
struct pg_pool;
struct pg_pool *pg_pool_new(const struct pg_conf *conf, unsigned count);
void pg_pool_free(struct pg_pool *pool);
struct pg *pg_pool_take(struct pg_pool *pool);
struct pg_pool_view {
	unsigned size, busy, waiting;
};
void pg_pool_look(struct pg_pool *pool, struct pg_pool_view *ret_view); /* any thread */
/* e: the last failure of the connection, or ERR_OK; it comes back with its message in the arena,
 * because the next one who takes the connection writes over it. */
struct err pg_pool_give(struct pg_pool *pool, struct pg *pg, struct arena *arena, struct err e)
	ERR_MUST_USE;

#endif
