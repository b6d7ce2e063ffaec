#include "api/events_batch.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "api_suite.h"
#include "frame/foreign_id.h"

#define DATA	    "{\"charge_id\":\"1\",\"kind\":\"pix\",\"amount_cents\":5,\"due_date\":\"2026-12-01\"}"
#define TYPE	    "\"type\":\"partner.charge.requested.v1\""
#define GOOD(more)  "{\"specversion\":\"1.0\"," TYPE more ",\"data\":" DATA "}"
#define PLAIN(more) "{\"event_type\":\"partner.charge.requested.v1\"" more ",\"payload\":" DATA "}"
#define WITH_ID	    GOOD(",\"id\":\"a\"")

static const struct topic_space space = { "esteira.", 12, 60 };
static const struct tenant tenant = { { { 1, 2, 3 } } };

static struct events_batch batch_of(const char *body, const char *key)
{
	struct events_batch batch;

	events_batch_init(&batch);
	batch.request = (struct events_batch_request){
		.space = &space, .from = { "acme", tenant, "alfa" }, .body = str_of(body)
	};
	snprintf(batch.request.idempotency_key, sizeof batch.request.idempotency_key, "%s", key);
	return batch;
}

/* "ok", or the code of each event in turn; "!" and the code of the whole request. */
static void run(struct events_batch *batch, struct buf *seen)
{
	struct arena *arena = arena_new(EVENTS_BATCH_ARENA_BYTES);
	struct ingest_item item = { .kind = INGEST_NOTHING };
	struct err e = err_ok();

	while (e.kind == ERR_OK && item.kind != INGEST_END) {
		arena_reset(arena);
		e = events_batch_next(batch, 1000, arena, &item);
	}
	if (e.kind != ERR_OK)
		buf_addf(seen, "!%s", err_code_name(e.code));
	for (const char *at = batch->outcomes.ptr;
		at != NULL && (at = strstr(at, "{\"index\":"));) {
		const char *code = strstr(at, "\"code\":\""), *end = strchr(at, '}');
		buf_add_str(seen, seen->len > 0 ? STR(" ") : STR(""));
		if (code == NULL || code > end)
			buf_add_str(seen, STR("ok"));
		else
			buf_add(seen, code + 8, strcspn(code + 8, "\""));
		at = end;
	}
	arena_free(arena);
}

static const struct {
	const char *body, *key, *seen;
} rows[] = {
	/* one */
	{ WITH_ID, "", "ok" },
	{ "  " WITH_ID "\n", "", "ok" },
	{ PLAIN(",\"event_id\":\"a\""), "", "ok" },
	{ GOOD(""), "k", "ok" },
	{ GOOD(""), "", "bad-record" },
	{ PLAIN(""), "", "bad-record" },
	{ GOOD(",\"id\":\"a\",\"subject\":\"alfa\""), "", "ok" },
	{ GOOD(",\"id\":\"a\",\"subject\":\"beta\""), "", "tenant-mismatch" },
	{ PLAIN(",\"event_id\":\"a\",\"tenant_id\":\"beta\""), "", "tenant-mismatch" },
	{ GOOD(",\"id\":\"a\",\"time\":\"2026-11-21T12:00:00Z\""), "", "ok" },
	{ GOOD(",\"id\":\"a\",\"time\":\"2026-11-21T12:00:00\""), "", "bad-record" },
	{ GOOD(",\"id\":\"a\",\"id\":\"a\""), "", "bad-record" },
	{ "{\"specversion\":\"1.0\",\"id\":\"a\",\"type\":\"x.v1\",\"data\":{}}", "",
		"unknown-type" },
	{ "{\"specversion\":\"1.0\",\"id\":\"a\"," TYPE ",\"data\":{}}", "", "bad-record" },
	{ "{\"specversion\":\"1.0\",\"id\":\"\xff\"," TYPE ",\"data\":" DATA "}", "",
		"bad-record" },
	{ "nonsense", "", "bad-record" },
	/* several */
	{ "[" WITH_ID "," WITH_ID "]", "", "ok ok" },
	{ "[" WITH_ID ",7," WITH_ID "]", "", "ok bad-record ok" },
	{ "[" GOOD("") "," WITH_ID "]", "", "bad-record ok" },
	{ "[" GOOD("") "," PLAIN("") "]", "k", "ok ok" },
	{ "[" WITH_ID ",{]", "", "!bad-request" },
	{ "[" WITH_ID, "", "!bad-request" },
	/* none */
	{ "[]", "k", "!bad-request" },
	{ "", "k", "!bad-request" },
	{ " \n", "k", "!bad-request" },
};

START_TEST(test_row)
{
	struct events_batch batch = batch_of(rows[_i].body, rows[_i].key);
	struct buf seen SCOPED(buf_done) = BUF(4096);

	run(&batch, &seen);
	ck_assert_str_eq(seen.ptr, rows[_i].seen);
	events_batch_done(&batch);
}
END_TEST

/* What an outsider computes: the key, a slash, the place; an id of its own stays. */
START_TEST(test_ids)
{
	static const char *const bodies[] = { GOOD(""), "[" GOOD("") "]",
		"[" WITH_ID "," GOOD("") ",7," GOOD("") "]" };
	static const struct {
		size_t body, nth;
		const char *id;
	} ids[] = { { 0, 0, "k/0" }, { 1, 0, "k/0" }, { 2, 0, "a" }, { 2, 1, "k/1" },
		{ 2, 2, "k/3" } };

	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
		struct events_batch batch = batch_of(bodies[ids[i].body], "k");
		struct buf seen SCOPED(buf_done) = BUF(4096);
		run(&batch, &seen);
		ck_assert_uint_gt(batch.accepted, ids[i].nth);
		ck_assert(
			id_eq(batch.ids[ids[i].nth], foreign_id(tenant, "acme", NULL, ids[i].id)));
		events_batch_done(&batch);
	}
}
END_TEST

START_TEST(test_record)
{
	struct events_batch batch = batch_of(WITH_ID, "");
	struct arena *arena = arena_new(EVENTS_BATCH_ARENA_BYTES);
	struct ingest_item item;
	char id[ID_TEXT_BYTES];

	snprintf(batch.request.traceparent, sizeof batch.request.traceparent, "%s",
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
	ck_assert_int_eq(events_batch_next(&batch, 1000, arena, &item).kind, ERR_OK);
	ck_assert_int_eq(item.kind, INGEST_RECORD);
	ck_assert_str_eq(item.record.topic, "esteira.intake.events");
	id_format(foreign_id(tenant, "acme", NULL, "a"), id);
	ck_assert(str_eq(envelope_find(&item.record.headers, "ce_id"), str_of(id)));
	ck_assert(str_eq(envelope_find(&item.record.headers, "traceparent"),
		str_of(batch.request.traceparent)));
	ck_assert(str_eq(item.record.value, str_of(DATA)));
	arena_free(arena);
	events_batch_done(&batch);
}
END_TEST

START_TEST(test_answer)
{
	struct events_batch batch = batch_of("[" WITH_ID "," GOOD("") "]", "");
	struct buf seen SCOPED(buf_done) = BUF(4096), out SCOPED(buf_done) = BUF(4096);
	struct buf expected SCOPED(buf_done) = BUF(4096);
	char id[ID_TEXT_BYTES];

	run(&batch, &seen);
	events_batch_write(&batch, &out);
	id_format(foreign_id(tenant, "acme", NULL, "a"), id);
	buf_addf(&expected,
		"\"accepted\":1,\"refused\":1,\"items\":["
		"{\"index\":0,\"id\":\"%s\",\"status\":\"accepted\"},"
		"{\"index\":1,\"status\":\"refused\",\"code\":\"bad-record\","
		"\"detail\":\"no id, and the request has no Idempotency-Key\"}]",
		id);
	ck_assert_str_eq(out.ptr, expected.ptr);
	events_batch_done(&batch);
}
END_TEST

/* As many as are taken, and one more. */
START_TEST(test_many)
{
	for (size_t count = FOREIGN_ITEMS_MAX; count <= FOREIGN_ITEMS_MAX + 1; count++) {
		struct buf body SCOPED(buf_done) = BUF(EVENTS_BATCH_BYTES);
		struct buf seen SCOPED(buf_done) = BUF(16384);
		for (size_t i = 0; i < count; i++)
			buf_addf(&body, "%s%s", i == 0 ? "[" : ",", GOOD(""));
		buf_add_str(&body, STR("]"));
		struct events_batch batch = batch_of(body.ptr, "k");
		run(&batch, &seen);
		if (count <= FOREIGN_ITEMS_MAX)
			ck_assert_uint_eq(batch.accepted, count);
		else
			ck_assert_str_eq(seen.ptr, "!body-too-large");
		events_batch_done(&batch);
	}
}
END_TEST

/* Data of exactly 256 KiB is read, and judged by its type; one byte more is too large. */
START_TEST(test_large)
{
	static const char head[] = "{\"specversion\":\"1.0\",\"id\":\"a\"," TYPE ",\"data\":";

	for (size_t extra = 0; extra <= 1; extra++) {
		struct buf body SCOPED(buf_done) = BUF(EVENTS_BATCH_BYTES);
		struct buf seen SCOPED(buf_done) = BUF(4096);
		const struct str data =
			STR("{\"charge_id\":\"1\",\"kind\":\"pix\",\"amount_cents\":5,"
			    "\"due_date\":\"2026-12-01\",\"more\":\"");
		buf_add_str(&body, str_of(head));
		buf_add_str(&body, data);
		for (size_t i = data.len + 2; i < ENVELOPE_BYTES_MAX + extra; i++)
			buf_add_str(&body, STR("x"));
		buf_add_str(&body, STR("\"}}"));
		struct events_batch batch = batch_of(body.ptr, "");
		run(&batch, &seen);
		ck_assert_str_eq(seen.ptr, extra == 0 ? "ok" : "record-too-large");
		events_batch_done(&batch);
	}
}
END_TEST

int main(void)
{
	const struct api_case cases[] = {
		{ test_row, sizeof rows / sizeof *rows },
		{ test_ids, 0 },
		{ test_record, 0 },
		{ test_answer, 0 },
		{ test_many, 0 },
		{ test_large, 0 },
		{ NULL, 0 },
	};

	return api_suite_main("api/events_batch", cases);
}
