#include "port/pg.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

#include "base/clock.h"
#include "base/sabotage.h"
#include "port/pg_connect.h"
#include "port/pg_value.h"

enum { PREPARED_MAX = 128, ARGS_MAX = 24, QUEUE_MAX = 1024 };
enum { IDLE_MS = 1000 };    /* after so long a connection is asked before it is relied on */
enum { ANSWER_MS = 35000 }; /* statement_timeout is 30 s */

/* What an expected answer belongs to. */
enum { TO_STATEMENT, TO_SOUND, TO_PREPARE };

struct pg {
	PGconn *conn;
	struct pg_conf conf;
	const struct pg_statement *prepared[PREPARED_MAX];
	size_t prepared_count;
	size_t queued;		    /* answers expected before the next sync point */
	uint8_t expects[QUEUE_MAX]; /* of which kind */
	int64_t used_ms;
	bool late; /* an answer did not come in time: the connection is of no use any more */
	struct {
		bool open, known;
		struct tenant tenant;
	} block; /* of BEGIN: whose rows it may see, as far as that was said */
	char message[256];
};

struct pg *pg_new(const struct pg_conf *conf)
{
	struct pg *pg = calloc(1, sizeof *pg);

	if (pg == NULL)
		return NULL;
	pg->conf = *conf;
	pg->conf.url = conf->url == NULL ? NULL : strdup(conf->url);
	pg->conf.application = strdup(conf->application);
	return pg;
}

static void disconnect(struct pg *pg)
{
	PQfinish(pg->conn);
	pg->conn = NULL;
	pg->prepared_count = 0;
	pg->queued = 0;
	pg->late = false;
}

void pg_free(struct pg *pg)
{
	if (pg == NULL)
		return;
	disconnect(pg);
	free((void *)(uintptr_t)pg->conf.url);
	free((void *)(uintptr_t)pg->conf.application);
	free(pg);
}

static struct err away(struct pg *pg)
{
	bool late = pg->late;

	disconnect(pg);
	return err_retry(ERR_CODE_POSTGRES_AWAY,
		late ? "the database did not answer" : "the connection to the database was lost");
}

/* In libpq's words: whom we asked, and whether nobody listens or we are not let in. No secrets. */
static struct err refused(struct pg *pg)
{
	const char *why = pg->conn == NULL ? "no memory" : PQerrorMessage(pg->conn);

	snprintf(pg->message, sizeof pg->message, "%.*s", (int)strcspn(why, "\n"), why);
	disconnect(pg);
	return err_retry(ERR_CODE_POSTGRES_AWAY, pg->message);
}

/* Class 08, 57P0x and 53 say that the server is not there for us; the class tells what to do next.
 */
static struct err classify(struct pg *pg, const PGresult *result, bool sound)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

	/* the session ended because we, not the server, said nothing for too long */
	if (state != NULL && strcmp(state, "25P03") == 0) {
		disconnect(pg);
		return err_retry(ERR_CODE_TIMEOUT, "the transaction was left idle for 5 s");
	}
	if (state == NULL || PQstatus(pg->conn) == CONNECTION_BAD)
		return away(pg);
	/* the primary message names tables and types, never values (those are in DETAIL) - but
	 * class 22 quotes the offending value, so that text stays here */
	snprintf(pg->message, sizeof pg->message, "%s: %s", state,
		strncmp(state, "22", 2) == 0 || text == NULL ? "refused value" : text);
	if (strncmp(state, "08", 2) == 0 || strncmp(state, "57P", 3) == 0 ||
		strncmp(state, "53", 2) == 0 || strcmp(state, "25006") == 0)
		return err_retry(ERR_CODE_POSTGRES_AWAY, pg->message);
	if (strncmp(state, "40", 2) == 0 || strcmp(state, "55P03") == 0 ||
		strcmp(state, "57014") == 0)
		return err_retry(ERR_CODE_TRY_AGAIN, pg->message);
	if (strncmp(state, "22", 2) == 0 || (strncmp(state, "23", 2) == 0 && !sound))
		return err_reject(ERR_CODE_BAD_RECORD, pg->message);
	return err_fatal(ERR_CODE_INTERNAL, pg->message);
}

/* libpq would write them to stderr, which is for JSON lines. */
static void drop_notice(void *arg, const char *text)
{
	(void)arg;
	(void)text;
}

static struct err connect_now(struct pg *pg)
{
	disconnect(pg);
	pg->conn = pg_connect_open(&pg->conf);
	if (pg->conn == NULL || PQstatus(pg->conn) != CONNECTION_OK)
		return refused(pg);
	PQsetErrorVerbosity(pg->conn, PQERRORS_TERSE);
	PQsetNoticeProcessor(pg->conn, drop_notice, NULL);
	if (PQenterPipelineMode(pg->conn) != 1 || PQsetnonblocking(pg->conn, 1) != 0)
		return away(pg);
	return err_ok();
}

/* --- answers --- */

/* One wait for the socket; false when the time is over. What fails is seen by who reads next. */
static bool wait_for_socket(struct pg *pg, bool unsent, int64_t until_ms)
{
	struct pollfd fd = { .fd = PQsocket(pg->conn),
		.events = (short)(unsent ? POLLIN | POLLOUT : POLLIN) };
	int64_t left_ms = until_ms - clock_mono_ms();

	if (left_ms <= 0)
		return false;
	(void)poll(&fd, 1, (int)left_ms);
	return true;
}

/* PQgetResult of a server that may have stopped without a word: its machine still acknowledges what
 * we send, so that no timeout of TCP's helps. NULL also when the answer did not come (late). */
static PGresult *next_result(struct pg *pg)
{
	int answer_ms = pg->conf.answer_ms > 0 ? pg->conf.answer_ms : ANSWER_MS;
	int64_t until_ms = clock_mono_ms() + answer_ms;
	int unsent;

	while ((unsent = PQflush(pg->conn)) > 0 || (unsent == 0 && PQisBusy(pg->conn))) {
		if (!wait_for_socket(pg, unsent > 0, until_ms)) {
			pg->late = true;
			return NULL;
		}
		if (PQconsumeInput(pg->conn) != 1)
			break;
	}
	return PQgetResult(pg->conn);
}

static bool is_prepared(const struct pg *pg, const struct pg_statement *statement)
{
	for (size_t i = 0; i < pg->prepared_count; i++)
		if (pg->prepared[i] == statement)
			return true;
	return false;
}

/* A statement's parameters as libpq wants them. */
struct call {
	int count;
	Oid types[ARGS_MAX];
	const char *data[ARGS_MAX];
	int lens[ARGS_MAX], formats[ARGS_MAX];
};

static struct err prepare(
	struct pg *pg, const struct pg_statement *statement, const struct call *call)
{
	if (is_prepared(pg, statement))
		return err_ok();
	if (pg->prepared_count == PREPARED_MAX)
		return err_fatal(
			ERR_CODE_INTERNAL, "more prepared statements than a connection may have");
	if (PQsendPrepare(pg->conn, statement->name, statement->sql, call->count, call->types) != 1)
		return away(pg);
	pg->prepared[pg->prepared_count++] = statement;
	pg->expects[pg->queued++] = TO_PREPARE;
	return err_ok();
}

static const struct pg_statement set_tenant = { "pg_set_tenant",
	"SELECT set_config('app.current_tenant', $1::uuid::text, true)" };

/* As it is, but in tests of what holds when a statement names another tenant. */
static struct pg_arg argument(const struct pg_statement *statement, struct pg_arg arg)
{
	if (arg.kind == PG_KIND_ID && statement != &set_tenant)
		sabotage_swap("sql_tenant", &arg.id);
	return arg;
}

/* A pooler's next session knows nothing that this one was told. */
static struct err send_call(
	struct pg *pg, const struct pg_statement *statement, const struct call *call)
{
	int sent;

	if (pg->conf.pooled) {
		sent = PQsendQueryParams(pg->conn, statement->sql, call->count, call->types,
			call->data, call->lens, call->formats, 1);
	} else {
		TRY(prepare(pg, statement, call));
		sent = PQsendQueryPrepared(pg->conn, statement->name, call->count, call->data,
			call->lens, call->formats, 1);
	}
	return sent == 1 ? err_ok() : away(pg);
}

static struct err push(struct pg *pg, const struct pg_statement *statement,
	const struct pg_arg *args, size_t count, uint8_t kind)
{
	struct pg_value values[ARGS_MAX];
	struct call call = { .count = (int)count };

	if (count > ARGS_MAX)
		return err_fatal(ERR_CODE_INTERNAL, "more parameters than a statement may have");
	if (pg->conn == NULL)
		TRY(connect_now(pg));
	for (size_t i = 0; i < count; i++) {
		const struct pg_arg arg = argument(statement, args[i]);
		if (arg.kind == PG_KIND_ARRAY)
			pg_array_value(arg.array, &values[i]);
		else
			pg_value_of(&arg, false, &values[i]);
		call.types[i] = values[i].oid;
		call.data[i] = values[i].data;
		call.lens[i] = values[i].len;
		call.formats[i] = values[i].binary;
	}
	if (pg->queued + 2 > QUEUE_MAX)
		TRY(pg_sync(pg));
	TRY(send_call(pg, statement, &call));
	pg->expects[pg->queued++] = kind;
	return err_ok();
}

struct err pg_push(struct pg *pg, const struct pg_statement *statement, const struct pg_arg *args,
	size_t count)
{
	return push(pg, statement, args, count, TO_STATEMENT);
}

struct err pg_push_sound(struct pg *pg, const struct pg_statement *statement,
	const struct pg_arg *args, size_t count)
{
	return push(pg, statement, args, count, TO_SOUND);
}

/* Reads the answer of one queued statement; keeps rows if they are wanted. *ret_ran says whether
 * the server carried it out. */
static struct err read_one(struct pg *pg, uint8_t kind, PGresult **ret_rows, bool *ret_ran)
{
	struct err e = err_ok();

	*ret_ran = true;

	for (PGresult *result; (result = next_result(pg)) != NULL;) {
		ExecStatusType status = PQresultStatus(result);
		if (status == PGRES_FATAL_ERROR || status == PGRES_PIPELINE_ABORTED)
			*ret_ran = false;
		if (status == PGRES_FATAL_ERROR)
			e = classify(pg, result, kind == TO_SOUND);
		if (status == PGRES_TUPLES_OK && ret_rows != NULL) {
			PQclear(*ret_rows);
			*ret_rows = result;
		} else {
			PQclear(result);
		}
		if (pg->conn == NULL)
			return e;
	}
	if (pg->late || PQstatus(pg->conn) == CONNECTION_BAD)
		return away(pg);
	return e;
}

static struct err read_sync_point(struct pg *pg)
{
	PGresult *result = next_result(pg);
	bool in_step = PQresultStatus(result) == PGRES_PIPELINE_SYNC;

	PQclear(result);
	return in_step ? err_ok() : away(pg);
}

/* Sends the sync point and reads every queued answer; the first failure counts. */
static struct err run_queue(struct pg *pg, PGresult **ret_rows)
{
	int64_t from_us = clock_mono_us();
	struct err first = err_ok();
	size_t known = pg->prepared_count;
	bool ran;

	if (pg->conn == NULL || PQpipelineSync(pg->conn) != 1)
		return away(pg);
	for (size_t i = 0; i < pg->queued; i++)
		known -= pg->expects[i] == TO_PREPARE;
	for (size_t i = 0; i < pg->queued; i++) {
		struct err e =
			read_one(pg, pg->expects[i], i + 1 == pg->queued ? ret_rows : NULL, &ran);
		if (e.kind != ERR_OK && first.kind == ERR_OK)
			first = e;
		if (pg->conn == NULL)
			return first;
		known += pg->expects[i] == TO_PREPARE && ran;
	}
	pg->prepared_count = known; /* a PREPARE behind a failure did not happen */
	pg->queued = 0;
	pg->used_ms = clock_mono_ms();
	struct err e = read_sync_point(pg);
	ear_tell(&pg->conf.ear, from_us);
	return e.kind == ERR_OK ? first : e;
}

static void clear_rows(void *arg)
{
	PQclear(arg);
}

struct err pg_query(struct pg *pg, struct arena *arena, const struct pg_statement *statement,
	const struct pg_arg *args, size_t count, const struct pg_rows **ret_rows)
{
	PGresult *rows = NULL;

	TRY(pg_push(pg, statement, args, count));
	struct err e = run_queue(pg, &rows);
	if (e.kind == ERR_OK && rows == NULL)
		e = err_fatal(ERR_CODE_INTERNAL, "a query gave no rows description");
	if (e.kind == ERR_OK && !arena_defer(arena, clear_rows, rows))
		e = arena_overflow();
	if (e.kind != ERR_OK) {
		PQclear(rows);
		return e;
	}
	*ret_rows = (const struct pg_rows *)rows;
	return err_ok();
}

struct err pg_sync(struct pg *pg)
{
	if (pg->queued == 0)
		return err_ok();
	return run_queue(pg, NULL);
}

/* One look at the socket: a server that went away left a message, or only the end, behind. */
static bool has_ended(struct pg *pg)
{
	struct pollfd fd = { .fd = PQsocket(pg->conn), .events = POLLIN };

	while (poll(&fd, 1, 0) > 0)
		if (PQconsumeInput(pg->conn) != 1)
			return true;
	return false;
}

void pg_refresh(struct pg *pg)
{
	if (pg->conn == NULL || pg->queued > 0 || PQtransactionStatus(pg->conn) != PQTRANS_IDLE)
		return;
	if (has_ended(pg)) {
		disconnect(pg);
		return;
	}
	if (clock_mono_ms() - pg->used_ms < IDLE_MS)
		return;
	/* a server that left without a word is found out by a sync point of nothing; the failure
	 * is not told: whoever comes next connects anew */
	struct err e = run_queue(pg, NULL);
	(void)e;
}

static const struct pg_statement begin = { "begin", "BEGIN" };
static const struct pg_statement commit = { "commit", "COMMIT" };
static const struct pg_statement rollback = { "rollback", "ROLLBACK" };

struct err pg_begin(struct pg *pg)
{
	pg_refresh(pg);
	pg->block.open = true;
	pg->block.known = false;
	return pg_push(pg, &begin, NULL, 0);
}

struct err pg_set_tenant(struct pg *pg, struct tenant tenant)
{
	struct pg_arg arg;

	sabotage_swap("session_tenant", &tenant.id);
	arg = pg_id(tenant.id);
	/* a batch is mostly runs of one tenant: saying it once a run saves a third of the
	 * statements */
	if (pg->block.open && pg->block.known && tenant_eq(pg->block.tenant, tenant))
		return err_ok();
	TRY(pg_push(pg, &set_tenant, &arg, 1));
	pg->block.known = true;
	pg->block.tenant = tenant;
	return err_ok();
}

struct err pg_commit(struct pg *pg)
{
	pg->block.open = false;
	TRY(pg_push(pg, &commit, NULL, 0));
	return pg_sync(pg);
}

void pg_rollback(struct pg *pg)
{
	pg->block.open = false;
	if (pg->conn == NULL)
		return;
	/* what is still queued may fail, that is why we are here */
	struct err drained = pg_sync(pg);
	if ((drained.kind != ERR_OK && pg->conn == NULL) ||
		PQtransactionStatus(pg->conn) == PQTRANS_IDLE)
		return;
	struct err e = pg_push(pg, &rollback, NULL, 0);
	if (e.kind == ERR_OK)
		e = pg_sync(pg);
	if (e.kind != ERR_OK && pg->conn != NULL)
		disconnect(pg);
}

struct err pg_listen(struct pg *pg, const char *channel)
{
	char sql[80];

	if (pg->conf.pooled)
		return err_fatal(ERR_CODE_INTERNAL, "a pooler's session cannot listen");
	TRY(pg_sync(pg));
	if (pg->conn == NULL)
		TRY(connect_now(pg));
	snprintf(sql, sizeof sql, "LISTEN %s", channel);
	if (PQsendQueryParams(pg->conn, sql, 0, NULL, NULL, NULL, NULL, 1) != 1)
		return away(pg);
	pg->expects[pg->queued++] = TO_STATEMENT;
	return pg_sync(pg);
}

int pg_socket(const struct pg *pg)
{
	return pg->conn == NULL ? -1 : PQsocket(pg->conn);
}

bool pg_take_notification(struct pg *pg)
{
	bool seen = false;

	if (pg->conn == NULL)
		return false;
	if (PQconsumeInput(pg->conn) != 1) {
		disconnect(pg);
		return false;
	}
	for (PGnotify *notify; (notify = PQnotifies(pg->conn)) != NULL;) {
		seen = true;
		PQfreemem(notify);
	}
	return seen;
}

/* struct pg_rows is libpq's result under our name. */
static const PGresult *result_of(const struct pg_rows *rows)
{
	return (const PGresult *)rows;
}

size_t pg_count(const struct pg_rows *rows)
{
	return (size_t)PQntuples(result_of(rows));
}

bool pg_is_null(const struct pg_rows *rows, size_t row, int column)
{
	return PQgetisnull(result_of(rows), (int)row, column) != 0;
}
