#include "model/envelope.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define ID	     "0190a0b0-0000-7000-8000-000000000001"
#define TENANT	     "018f4d3a-7b1c-7000-8000-0123456789ab"
#define TRACE	     "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

static struct event some_event(void)
{
	struct event event = { .type = "intake.document.received.v1",
		.source = "/esteira/intake",
		.time_ms = INT64_C(1795250040123),
		.ordering_key = "job-1",
		.traceparent = TRACE,
		.slug = "demo-a",
		.payload = STR("{}") };

	ck_assert(id_parse(STR(ID), &event.id));
	ck_assert(id_parse(STR(TENANT), &event.tenant.id));
	return event;
}

START_TEST(writes_cloudevents_in_binary_mode)
{
	static const char *const expected[][2] = {
		{ "ce_specversion", "1.0" },
		{ "ce_id", ID },
		{ "ce_type", "intake.document.received.v1" },
		{ "ce_source", "/esteira/intake" },
		{ "ce_time", "2026-11-21T08:34:00.123Z" },
		{ "ce_tenantid", TENANT },
		{ "ce_partitionkey", "job-1" },
		{ "ce_dataschema", "urn:esteira:schema:intake.document.received.v1" },
		{ "content-type", "application/json" },
		{ "traceparent", TRACE },
		{ "ce_tenantslug", "demo-a" },
	};
	struct arena *arena = arena_new(1 << 16);
	struct event event = some_event();
	struct headers headers;

	ck_assert_int_eq(envelope_write(&event, arena, &headers).kind, ERR_OK);
	ck_assert_uint_eq(headers.count, COUNT(expected));
	for (size_t i = 0; i < COUNT(expected); i++)
		ck_assert_msg(
			str_eq(envelope_find(&headers, expected[i][0]), str_of(expected[i][1])),
			"%s", expected[i][0]);
	event.traceparent = event.slug = NULL;
	ck_assert_int_eq(envelope_write(&event, arena, &headers).kind, ERR_OK);
	ck_assert_uint_eq(headers.count, COUNT(expected) - 2);
	ck_assert_ptr_null(envelope_find(&headers, "traceparent").ptr);
	arena_free(arena);
}
END_TEST

START_TEST(reads_what_it_wrote)
{
	struct arena *arena = arena_new(1 << 16);
	struct event event = some_event(), back;
	struct headers headers;

	ck_assert_int_eq(envelope_write(&event, arena, &headers).kind, ERR_OK);
	ck_assert_int_eq(
		envelope_read(&headers, STR(TENANT), event.payload, arena, &back).kind, ERR_OK);
	ck_assert(id_eq(back.id, event.id) && tenant_eq(back.tenant, event.tenant));
	ck_assert_str_eq(back.type, event.type);
	ck_assert_str_eq(back.source, event.source);
	ck_assert(back.time_ms == event.time_ms);
	ck_assert_str_eq(back.ordering_key, "job-1");
	ck_assert_str_eq(back.traceparent, TRACE);
	ck_assert_str_eq(back.slug, "demo-a");
	ck_assert_ptr_eq(back.payload.ptr, event.payload.ptr);
	arena_free(arena);
}
END_TEST

static const char *const valid[][2] = {
	{ "ce_specversion", "1.0" },
	{ "ce_id", ID },
	{ "ce_type", "t.v1" },
	{ "ce_source", "/x" },
	{ "ce_time", "2026-11-21T05:34:00-03:00" },
	{ "ce_tenantid", TENANT },
};

/* The valid headers with one replaced (NULL: left out) or added. */
static void headers_with(const char *name, const char *value, struct headers *ret_headers)
{
	bool known = false;

	ret_headers->count = 0;
	for (size_t i = 0; i < COUNT(valid); i++) {
		bool this = name != NULL && strcmp(valid[i][0], name) == 0;
		known = known || this;
		if (!this || value != NULL)
			ck_assert(envelope_add(
				ret_headers, valid[i][0], str_of(this ? value : valid[i][1])));
	}
	if (name != NULL && !known && value != NULL)
		ck_assert(envelope_add(ret_headers, name, str_of(value)));
}

START_TEST(reads_the_least_there_is)
{
	struct arena *arena = arena_new(1 << 16);
	struct headers headers;
	struct event event;

	headers_with(NULL, NULL, &headers);
	ck_assert(envelope_add(&headers, "foreign", STR("\xff\0\xff")));
	ck_assert_int_eq(envelope_read(&headers, STR(TENANT), STR(""), arena, &event).kind, ERR_OK);
	ck_assert_str_eq(event.ordering_key, TENANT);
	ck_assert_ptr_null(event.traceparent);
	ck_assert_ptr_null(event.slug);
	ck_assert(event.time_ms == INT64_C(1795250040000));
	arena_free(arena);
}
END_TEST

static char too_long[257];

START_TEST(refuses)
{
	memset(too_long, 'x', sizeof too_long - 1);
	const struct {
		const char *name, *value;
	} rows[] = {
		{ "ce_specversion", NULL },
		{ "ce_specversion", "0.3" },
		{ "ce_specversion", "1.0 " },
		{ "ce_id", NULL },
		{ "ce_id", "" },
		{ "ce_id", "7" },
		{ "ce_id", ID "0" },
		{ "ce_type", NULL },
		{ "ce_type", "" },
		{ "ce_type", "\xe7" },
		{ "ce_type", too_long },
		{ "ce_source", NULL },
		{ "ce_source", too_long },
		{ "ce_time", NULL },
		{ "ce_time", "2026-11-21T08:34:00" },
		{ "ce_time", "1795250040" },
		{ "ce_tenantid", NULL },
		{ "ce_tenantid", "demo-a" },
		{ "ce_partitionkey", "" },
		{ "ce_partitionkey", too_long },
		{ "traceparent", "" },
		{ "traceparent", too_long },
		{ "ce_tenantslug", "" },
		{ "ce_tenantslug", "\xff" },
	};
	struct arena *arena = arena_new(1 << 16);

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct headers headers;
		struct event event = { .time_ms = 7 };
		headers_with(rows[i].name, rows[i].value, &headers);
		struct err e = envelope_read(&headers, STR(TENANT), STR("{}"), arena, &event);
		ck_assert_msg(e.kind == ERR_REJECT && e.code == ERR_CODE_BAD_RECORD, "row %zu", i);
		ck_assert_msg(strstr(e.msg, rows[i].name) != NULL, "row %zu: %s", i, e.msg);
		ck_assert(event.time_ms == 7);
	}
	arena_free(arena);
}
END_TEST

START_TEST(the_key_is_the_tenant)
{
	static const char *const keys[] = { "", "demo-a", ID,
		"018f4d3a-7b1c-7000-8000-0123456789aa", TENANT "x" };
	struct arena *arena = arena_new(1 << 16);
	struct headers headers;
	struct event event;

	headers_with(NULL, NULL, &headers);
	for (size_t i = 0; i < COUNT(keys); i++) {
		struct err e = envelope_read(&headers, str_of(keys[i]), STR("{}"), arena, &event);
		ck_assert(e.kind == ERR_REJECT && e.code == ERR_CODE_TENANT_MISMATCH);
	}
	struct err e = envelope_read(&headers, (struct str){ NULL, 0 }, STR("{}"), arena, &event);
	ck_assert(err_is(e, ERR_CODE_TENANT_MISMATCH));
	arena_free(arena);
}
END_TEST

START_TEST(keeps_to_its_limits)
{
	struct arena *arena = arena_new(1 << 16), *tiny = arena_new(40);
	struct event event = some_event();
	struct headers headers;
	char *large = calloc(1, ENVELOPE_BYTES_MAX + 1);

	ck_assert(err_is(envelope_write(&event, tiny, &headers), ERR_CODE_RECORD_TOO_LARGE));
	headers_with(NULL, NULL, &headers);
	ck_assert(err_is(envelope_read(&headers, STR(TENANT), STR("{}"), tiny, &event),
		ERR_CODE_RECORD_TOO_LARGE));
	ck_assert_str_eq(event.type, some_event().type); /* untouched */
	struct str value = { large, ENVELOPE_BYTES_MAX };
	ck_assert_int_eq(envelope_read(&headers, STR(TENANT), value, arena, &event).kind, ERR_OK);
	value.len++;
	event.type = NULL;
	ck_assert(err_is(envelope_read(&headers, STR(TENANT), value, arena, &event),
		ERR_CODE_RECORD_TOO_LARGE));
	ck_assert_str_eq(event.type, "t.v1"); /* whose it is, without what it says */
	ck_assert_uint_eq(event.payload.len, 0);
	event.type = NULL;
	ck_assert(err_is(envelope_read(&headers, STR("nobody"), value, arena, &event),
		ERR_CODE_RECORD_TOO_LARGE));
	ck_assert_ptr_null(event.type);
	while (headers.count < ENVELOPE_HEADERS_MAX)
		ck_assert(envelope_add(&headers, "x", STR("")));
	ck_assert(!envelope_add(&headers, "x", STR("")));
	ck_assert_uint_eq(headers.count, ENVELOPE_HEADERS_MAX);
	free(large);
	arena_free(tiny);
	arena_free(arena);
}
END_TEST

/* Found in review: the dead letter of a record with too many headers had neither tenant nor id. */
START_TEST(packs_its_own_of_too_many)
{
	struct arena *arena = arena_new(1 << 16);
	struct event event = some_event(), back = { .type = NULL };
	struct headers headers, own;
	struct buf out = BUF(1 << 16);

	ck_assert_int_eq(envelope_write(&event, arena, &headers).kind, ERR_OK);
	size_t written = headers.count;
	memset(too_long, 'x', sizeof too_long - 1);
	ck_assert(envelope_add(&headers, "x-blob", STR("abc")));
	ck_assert(envelope_add(&headers, "ce_id", str_of(too_long)));
	envelope_pack_own(&headers, &out);
	ck_assert_int_eq(envelope_unpack(buf_str(&out), arena, &own).kind, ERR_OK);
	ck_assert_uint_eq(own.count, written + 1);
	for (size_t i = 0; i < written; i++)
		ck_assert(
			str_eq(envelope_find(&own, headers.items[i].name), headers.items[i].value));
	ck_assert(str_eq(envelope_find(&own, "x-headers-left-out"), STR("1")));
	ck_assert(err_is(envelope_read(&own, STR(TENANT), STR("{}"), arena, &back),
		ERR_CODE_RECORD_TOO_LARGE));
	ck_assert(id_eq(back.id, event.id) && tenant_eq(back.tenant, event.tenant));
	buf_done(&out);
	arena_free(arena);
}
END_TEST

START_TEST(packs_byte_by_byte)
{
	static const char bytes[] = "\0\1a\0\0\0\2\xff\0"
				    "\0\2bc\0\0\0\0";
	struct headers headers = { .count = 0 }, back;
	struct arena *arena = arena_new(1 << 12);
	struct buf out = BUF(100);

	envelope_add(&headers, "a", (struct str){ "\xff\0", 2 });
	envelope_add(&headers, "bc", STR(""));
	envelope_pack(&headers, &out);
	ck_assert(str_eq(buf_str(&out), (struct str){ bytes, sizeof bytes - 1 }));
	ck_assert_int_eq(envelope_unpack(buf_str(&out), arena, &back).kind, ERR_OK);
	ck_assert_uint_eq(back.count, 2);
	ck_assert_str_eq(back.items[1].name, "bc");
	ck_assert(str_eq(envelope_find(&back, "a"), (struct str){ "\xff\0", 2 }));
	ck_assert_ptr_nonnull(envelope_find(&back, "bc").ptr);
	for (size_t cut = 1; cut < sizeof bytes - 1; cut++) {
		struct str piece = { bytes, cut };
		bool whole = cut == 9; /* the first header alone */
		ck_assert_int_eq(
			envelope_unpack(piece, arena, &back).kind, whole ? ERR_OK : ERR_REJECT);
	}
	ck_assert_int_eq(envelope_unpack((struct str){ NULL, 0 }, arena, &back).kind, ERR_OK);
	ck_assert_uint_eq(back.count, 0);
	buf_done(&out);
	arena_free(arena);
}
END_TEST

START_TEST(unpacks_no_more_than_allowed)
{
	struct arena *arena = arena_new(1 << 12);
	struct buf packed = BUF(4096);
	struct headers back;

	for (int i = 0; i < ENVELOPE_HEADERS_MAX; i++)
		buf_add(&packed, "\0\1a\0\0\0\0", 7);
	ck_assert_int_eq(envelope_unpack(buf_str(&packed), arena, &back).kind, ERR_OK);
	buf_add(&packed, "\0\1a\0\0\0\0", 7);
	ck_assert(err_is(envelope_unpack(buf_str(&packed), arena, &back), ERR_CODE_BAD_RECORD));
	ck_assert(err_is(
		envelope_unpack(STR("\0\1a\xff\xff\xff\xff"), arena, &back), ERR_CODE_BAD_RECORD));
	buf_done(&packed);
	arena_free(arena);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("envelope");
	TCase *tcase = tcase_create("envelope");

	tcase_add_test(tcase, writes_cloudevents_in_binary_mode);
	tcase_add_test(tcase, reads_what_it_wrote);
	tcase_add_test(tcase, reads_the_least_there_is);
	tcase_add_test(tcase, refuses);
	tcase_add_test(tcase, the_key_is_the_tenant);
	tcase_add_test(tcase, keeps_to_its_limits);
	tcase_add_test(tcase, packs_its_own_of_too_many);
	tcase_add_test(tcase, packs_byte_by_byte);
	tcase_add_test(tcase, unpacks_no_more_than_allowed);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
