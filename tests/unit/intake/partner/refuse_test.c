#include "partner/refuse.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "frame/reason.h"

static struct kafka_record record_of(struct str value, struct str header)
{
	struct kafka_record record = { .topic = "x.partner.acme.in",
		.partition = 3,
		.offset = 77,
		.key = STR("k"),
		.value = value };

	envelope_add(&record.headers, "ce_id", STR("1"));
	envelope_add(&record.headers, "blob", header);
	return record;
}

static struct kafka_record refused(const struct kafka_record *record, struct arena *arena)
{
	const struct refuse what = { "x.", "acme", "x.intake.partners", record,
		err_reject(ERR_CODE_NOT_GRANTED, "why not") };
	struct kafka_record made = { .topic = NULL };

	ck_assert_int_eq(refuse_record(&what, arena, &made).kind, ERR_OK);
	return made;
}

static void expect(const struct kafka_record *record, const char *name, const char *value)
{
	struct str found = envelope_find(&record->headers, name);

	ck_assert_msg(str_eq(found, str_of(value)), "%s is %.*s", name, (int)found.len, found.ptr);
}

START_TEST(the_record_comes_back_with_its_reason)
{
	struct arena *arena = arena_new(1 << 16);
	struct kafka_record record = record_of(STR("{"), STR("\xff\0\x01"));
	struct kafka_record made = refused(&record, arena);

	ck_assert_str_eq(made.topic, "x.partner.acme.dlq");
	ck_assert_int_eq(made.partition, KAFKA_BY_KEY);
	ck_assert(str_eq(made.key, STR("k")));
	ck_assert(str_eq(made.value, STR("{")));
	ck_assert_str_eq(made.headers.items[0].name, "ce_id");
	ck_assert(str_eq(made.headers.items[1].value, STR("\xff\0\x01")));
	expect(&made, "__connect.errors.topic", "x.partner.acme.in");
	expect(&made, "__connect.errors.partition", "3");
	expect(&made, "__connect.errors.offset", "77");
	expect(&made, "__connect.errors.exception.class.name", "not-granted");
	expect(&made, "__connect.errors.exception.message", "why not");
	expect(&made, "x-error-code", "not-granted");
	expect(&made, "x-error-class", "record");
	expect(&made, "x-group", "x.intake.partners");
	expect(&made, "x-attempts", "1");
	expect(&made, "x-value-left-out", "0");
	expect(&made, "x-key-left-out", "0");
	arena_free(arena);
}
END_TEST

/* A tombstone stays one. */
START_TEST(no_value_stays_none)
{
	struct arena *arena = arena_new(1 << 16);
	struct kafka_record record = record_of((struct str){ NULL, 0 }, STR(""));

	ck_assert_ptr_null(refused(&record, arena).value.ptr);
	arena_free(arena);
}
END_TEST

/* What no topic would take stays away, so that the reason gets through. */
START_TEST(what_is_too_large_is_left_out)
{
	struct arena *arena = arena_new(1 << 16);
	static char large[REASON_VALUE_MAX + 1];
	struct kafka_record record = record_of(
		(struct str){ large, sizeof large }, (struct str){ large, REFUSE_HEADERS_MAX });

	record.key = (struct str){ large, REASON_KEY_MAX + 1 };
	ck_assert_uint_gt(refuse_headers_bytes(&record.headers), REFUSE_HEADERS_MAX);
	struct kafka_record made = refused(&record, arena);
	ck_assert_uint_eq(made.value.len + made.key.len, 0);
	expect(&made, "x-value-left-out", "1");
	expect(&made, "x-key-left-out", "1");
	ck_assert_ptr_null(envelope_find(&made.headers, "blob").ptr);
	expect(&made, "x-error-code", "not-granted");
	record.value.len = REASON_VALUE_MAX;
	record.key.len = REASON_KEY_MAX;
	made = refused(&record, arena);
	ck_assert_uint_eq(made.value.len + made.key.len, REASON_VALUE_MAX + REASON_KEY_MAX);
	arena_free(arena);
}
END_TEST

START_TEST(as_many_headers_as_are_read_leave_room_for_the_reasons)
{
	struct arena *arena = arena_new(1 << 16);
	struct kafka_record record = record_of(STR("{"), STR("x"));

	while (record.headers.count < ENVELOPE_READ_MAX)
		envelope_add(&record.headers, "more", STR("y"));
	struct kafka_record made = refused(&record, arena);
	expect(&made, "x-handler-version", "0.1.0");
	ck_assert_uint_eq(made.headers.count, ENVELOPE_READ_MAX + 12);
	arena_free(arena);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("refuse");
	TCase *tcase = tcase_create("refuse");

	tcase_add_test(tcase, the_record_comes_back_with_its_reason);
	tcase_add_test(tcase, no_value_stays_none);
	tcase_add_test(tcase, what_is_too_large_is_left_out);
	tcase_add_test(tcase, as_many_headers_as_are_read_leave_room_for_the_reasons);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
