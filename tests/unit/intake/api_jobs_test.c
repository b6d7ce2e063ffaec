#include "api/jobs.h"

#include <check.h>
#include <math.h>

#include "api_suite.h"

static const struct jobs_view pending = {
	.job_id = { { 1, 0x9a } },
	.status = "pending",
	.hashes = { "ab", NULL },
	.size_bytes = 7,
	.pages = { CODEC_NO_INT, CODEC_NO_INT, CODEC_NO_INT },
	.confidence_avg = (double)NAN,
	.processing_ms = CODEC_NO_INT,
	.times = { 0, CODEC_NO_INT, CODEC_NO_INT, 600000, CODEC_NO_INT, CODEC_NO_INT },
};

START_TEST(test_unknown_fields_are_left_out)
{
	struct buf json SCOPED(buf_done) = BUF(JOBS_JSON_MAX_BYTES);

	ck_assert_int_eq(jobs_write(&pending, &json).kind, ERR_OK);
	ck_assert_str_eq(json.ptr,
		"{\"job_id\":\"019a0000-0000-0000-0000-000000000000\",\"status\":\"pending\","
		"\"document_hash\":\"ab\",\"size_bytes\":7,"
		"\"created_at\":\"1970-01-01T00:00:00.000Z\","
		"\"expires_at\":\"1970-01-01T00:10:00.000Z\"}");
}
END_TEST

START_TEST(test_all_fields)
{
	struct buf json SCOPED(buf_done) = BUF(JOBS_JSON_MAX_BYTES);
	struct jobs_view job = pending;

	job.status = "completed";
	job.hashes.result = "cd";
	job.pages = (struct jobs_pages){ 3, 2, 1 };
	job.confidence_avg = 93.4;
	job.processing_ms = 812;
	job.error_code = "no_text";
	job.times = (struct jobs_times){ 1, 2, 3, 4, 5, 6 };
	ck_assert_int_eq(jobs_write(&job, &json).kind, ERR_OK);
	ck_assert_str_eq(json.ptr,
		"{\"job_id\":\"019a0000-0000-0000-0000-000000000000\",\"status\":\"completed\","
		"\"document_hash\":\"ab\",\"result_hash\":\"cd\",\"size_bytes\":7,"
		"\"pages_total\":3,\"pages_text\":2,\"pages_ocr\":1,\"confidence_avg\":93.4,"
		"\"processing_ms\":812,\"error_code\":\"no_text\","
		"\"created_at\":\"1970-01-01T00:00:00.001Z\","
		"\"started_at\":\"1970-01-01T00:00:00.002Z\","
		"\"completed_at\":\"1970-01-01T00:00:00.003Z\","
		"\"expires_at\":\"1970-01-01T00:00:00.004Z\","
		"\"result_expires_at\":\"1970-01-01T00:00:00.005Z\","
		"\"result_deleted_at\":\"1970-01-01T00:00:00.006Z\"}");
}
END_TEST

START_TEST(test_final)
{
	ck_assert(jobs_is_final("completed") && jobs_is_final("failed"));
	ck_assert(!jobs_is_final("pending") && !jobs_is_final("processing"));
}
END_TEST

int main(void)
{
	const struct api_case cases[] = {
		{ test_unknown_fields_are_left_out, 0 },
		{ test_all_fields, 0 },
		{ test_final, 0 },
		{ NULL, 0 },
	};

	return api_suite_main("api/jobs", cases);
}
