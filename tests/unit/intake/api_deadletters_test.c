#include "api/deadletters.h"

#include <check.h>

#include "api_suite.h"
#include "model/codec.h"

static const struct deadletters_view bare = {
	.id = { { 1, 0x9a } },
	.service = "ocr",
	.topic = "t",
	.state = "open",
	.error = { "schema", NULL, NULL },
	.times = { CODEC_NO_INT, 0, 1 },
};

START_TEST(test_unknown_fields_are_left_out)
{
	struct buf json SCOPED(buf_done) = BUF(DEADLETTERS_JSON_MAX_BYTES);

	ck_assert_int_eq(deadletters_write(&bare, &json).kind, ERR_OK);
	ck_assert_str_eq(json.ptr,
		"{\"id\":\"019a0000-0000-0000-0000-000000000000\",\"service\":\"ocr\","
		"\"topic\":\"t\",\"state\":\"open\",\"error_class\":\"schema\",\"attempts\":0,"
		"\"redrives\":0,\"blocks\":false,\"created_at\":\"1970-01-01T00:00:00.000Z\","
		"\"updated_at\":\"1970-01-01T00:00:00.001Z\"}");
}
END_TEST

START_TEST(test_all_fields)
{
	struct buf json SCOPED(buf_done) = BUF(DEADLETTERS_JSON_MAX_BYTES);
	struct deadletters_view letter = bare;

	letter.event_id = (struct id){ { 2 } };
	letter.ordering_key = "k";
	letter.error = (struct deadletters_error){ "record", "superseded", "a \"sentence\"" };
	letter.attempts = 3;
	letter.redrives = 2;
	letter.blocks = true;
	letter.times.first_failed_at = 2;
	ck_assert_int_eq(deadletters_write(&letter, &json).kind, ERR_OK);
	ck_assert_str_eq(json.ptr,
		"{\"id\":\"019a0000-0000-0000-0000-000000000000\",\"service\":\"ocr\","
		"\"topic\":\"t\",\"state\":\"open\","
		"\"event_id\":\"02000000-0000-0000-0000-000000000000\",\"ordering_key\":\"k\","
		"\"error_class\":\"record\",\"error_code\":\"superseded\","
		"\"error_message\":\"a \\\"sentence\\\"\",\"attempts\":3,\"redrives\":2,"
		"\"blocks\":true,\"first_failed_at\":\"1970-01-01T00:00:00.002Z\","
		"\"created_at\":\"1970-01-01T00:00:00.000Z\","
		"\"updated_at\":\"1970-01-01T00:00:00.001Z\"}");
}
END_TEST

int main(void)
{
	const struct api_case cases[] = { { test_unknown_fields_are_left_out, 0 },
		{ test_all_fields, 0 }, { NULL, 0 } };

	return api_suite_main("api/deadletters", cases);
}
