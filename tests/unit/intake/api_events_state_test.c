#include "api/events_state.h"

#include <check.h>

#include "api/events_store.h"
#include "api_suite.h"

static struct events_store_handled handled[] = { { "ocr", 1000 }, { "audit", 2000 } };

static const struct {
	struct events_state_view view;
	const char *json;
} rows[] = {
	{ { .id = { { 1 } }, .state = "accepted" },
		"{\"id\":\"01000000-0000-0000-0000-000000000000\",\"state\":\"accepted\","
		"\"handled_by\":[]}" },
	{ { .id = { { 1 } }, .state = "handled", .handled_by = { handled, 2 } },
		"{\"id\":\"01000000-0000-0000-0000-000000000000\",\"state\":\"handled\","
		"\"handled_by\":[{\"service\":\"ocr\",\"at\":\"1970-01-01T00:00:01.000Z\"},"
		"{\"service\":\"audit\",\"at\":\"1970-01-01T00:00:02.000Z\"}]}" },
	{ { .id = { { 1 } },
		  .state = "dead",
		  .handled_by = { handled, 1 },
		  .dead_letter = { { 2 } } },
		"{\"id\":\"01000000-0000-0000-0000-000000000000\",\"state\":\"dead\","
		"\"handled_by\":[{\"service\":\"ocr\",\"at\":\"1970-01-01T00:00:01.000Z\"}],"
		"\"dead_letter\":\"02000000-0000-0000-0000-000000000000\"}" },
};

START_TEST(test_row)
{
	struct buf json SCOPED(buf_done) = BUF(EVENTS_STATE_JSON_MAX_BYTES);

	ck_assert_int_eq(events_state_write(&rows[_i].view, &json).kind, ERR_OK);
	ck_assert_str_eq(json.ptr, rows[_i].json);
}
END_TEST

int main(void)
{
	const struct api_case cases[] = {
		{ test_row, sizeof rows / sizeof *rows },
		{ NULL, 0 },
	};

	return api_suite_main("api/events_state", cases);
}
