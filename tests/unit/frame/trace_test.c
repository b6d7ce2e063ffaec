#include "frame/trace.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define TRACE_ID     "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN_ID	     "00f067aa0ba902b7"

START_TEST(reads_and_writes)
{
	static const struct {
		const char *text, *again;
		bool sampled;
	} rows[] = {
		{ "00-" TRACE_ID "-" SPAN_ID "-01", "00-" TRACE_ID "-" SPAN_ID "-01", true },
		{ "00-" TRACE_ID "-" SPAN_ID "-00", "00-" TRACE_ID "-" SPAN_ID "-00", false },
		{ "00-" TRACE_ID "-" SPAN_ID "-fe", "00-" TRACE_ID "-" SPAN_ID "-00", false },
		{ "00-" TRACE_ID "-" SPAN_ID "-ff", "00-" TRACE_ID "-" SPAN_ID "-01", true },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		char text[TRACE_TEXT_BYTES], id[TRACE_ID_TEXT_BYTES];
		struct trace trace;
		ck_assert(trace_parse(str_of(rows[i].text), &trace));
		ck_assert(trace.sampled == rows[i].sampled);
		trace_format(trace, text);
		ck_assert_str_eq(text, rows[i].again);
		trace_format_id(trace, id);
		ck_assert_str_eq(id, TRACE_ID);
	}
}
END_TEST

static const struct str malformed[] = {
	{ NULL, 0 },
	{ "", 0 },
	{ "-", 1 },
	{ "---", 3 },
	{ "00-" TRACE_ID "-" SPAN_ID, 52 },
	{ "00-" TRACE_ID "-" SPAN_ID "-", 53 },
	{ "00-" TRACE_ID "-" SPAN_ID "-1", 54 },
	{ "00-" TRACE_ID "-" SPAN_ID "-011", 56 },
	{ "00-" TRACE_ID "-" SPAN_ID "-01-x", 57 },
	{ "00-" TRACE_ID "-" SPAN_ID "-0g", 55 },
	{ "00-" TRACE_ID "-" SPAN_ID "-0\0", 55 },
	{ "00-" TRACE_ID "-" SPAN_ID "-01 ", 56 },
	{ " 00-" TRACE_ID "-" SPAN_ID "-01", 56 },
	{ "01-" TRACE_ID "-" SPAN_ID "-01", 55 },
	{ "ff-" TRACE_ID "-" SPAN_ID "-01", 55 },
	{ "0-" TRACE_ID "-" SPAN_ID "-01", 54 },
	{ "00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN_ID "-01", 55 },
	{ "00-" TRACE_ID "-00F067AA0BA902B7-01", 55 },
	{ "00-" TRACE_ID "0-" SPAN_ID "-01", 56 },
	{ "00-4bf92f3577b34da6a3ce929d0e0e473-" SPAN_ID "-01", 54 },
	{ "00-" TRACE_ID "-00f067aa0ba902b-01", 54 },
	{ "00-00000000000000000000000000000000-" SPAN_ID "-01", 55 },
	{ "00-" TRACE_ID "-0000000000000000-01", 55 },
	{ "00_" TRACE_ID "-" SPAN_ID "-01", 55 },
};

START_TEST(refuses)
{
	for (size_t i = 0; i < COUNT(malformed); i++) {
		struct trace trace, before;
		memset(&trace, 0x5a, sizeof trace);
		memcpy(&before, &trace, sizeof trace);
		ck_assert_msg(!trace_parse(malformed[i], &trace), "row %zu", i);
		ck_assert(memcmp(&trace, &before, sizeof trace) == 0);
	}
}
END_TEST

START_TEST(goes_on_or_begins)
{
	char id[TRACE_ID_TEXT_BYTES];

	trace_format_id(trace_from(STR("00-" TRACE_ID "-" SPAN_ID "-01")), id);
	ck_assert_str_eq(id, TRACE_ID);
	struct trace fresh = trace_from(STR("nonsense"));
	trace_format_id(fresh, id);
	ck_assert_str_ne(id, TRACE_ID);
	ck_assert(fresh.sampled);
}
END_TEST

START_TEST(a_child_keeps_the_trace)
{
	struct trace parent = trace_new(), child = trace_child(parent), back;
	char text[TRACE_TEXT_BYTES];

	ck_assert_mem_eq(child.trace_id, parent.trace_id, sizeof parent.trace_id);
	ck_assert_mem_ne(child.span_id, parent.span_id, sizeof parent.span_id);
	ck_assert(child.sampled == parent.sampled);
	trace_format(child, text);
	ck_assert(trace_parse(str_of(text), &back));
	ck_assert_mem_eq(back.span_id, child.span_id, sizeof child.span_id);
	struct trace other = trace_new();
	ck_assert_mem_ne(other.trace_id, parent.trace_id, sizeof parent.trace_id);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("trace");
	TCase *tcase = tcase_create("trace");

	tcase_add_test(tcase, reads_and_writes);
	tcase_add_test(tcase, refuses);
	tcase_add_test(tcase, goes_on_or_begins);
	tcase_add_test(tcase, a_child_keeps_the_trace);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
