#include "model/otlp.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRACE	"\x4b\xf9\x2f\x35\x77\xb3\x4d\xa6\xa3\xce\x92\x9d\x0e\x0e\x47\x36"
#define SPAN	"\x00\xf0\x67\xaa\x0b\xa9\x02\xb7"
#define OTHER	"\xb7\xad\x6b\x71\x69\x20\x33\x31"
#define TEN	"0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

static struct buf out;

static void setup(void)
{
	out = BUF(1 << 16);
}

static void teardown(void)
{
	buf_done(&out);
}

static struct otlp_span span_of(const struct otlp_attribute *attributes, size_t count)
{
	return (struct otlp_span){ .trace_id = (const uint8_t *)TRACE,
		.span_id = (const uint8_t *)SPAN,
		.parent_id = (const uint8_t *)OTHER,
		.kind = OTLP_CONSUMER,
		.verb = "process",
		.object = "esteira.ocr.jobs",
		.began_us = 1790000000123456,
		.ended_us = 1790000000123457,
		.attributes = attributes,
		.attribute_count = count };
}

START_TEST(a_request_is_this)
{
	static const struct otlp_attribute attributes[] = {
		{ OTLP_MESSAGING_OFFSET, NULL, 9007199254740993 },
		{ OTLP_TENANT, "al\"fa\n", 0 },
	};
	const struct otlp_resource resource = { "ocr", "1.2.3", "host-7" };
	struct otlp_span span = span_of(attributes, 2);

	otlp_begin(&resource, &out);
	otlp_add(&span, &out);
	buf_add_str(&out, STR(","));
	span.parent_id = NULL;
	span.object = NULL;
	span.attribute_count = 0;
	span.failed = true;
	otlp_add(&span, &out);
	otlp_end(&out);
	ck_assert_str_eq(out.ptr,
		"{\"resourceSpans\":[{\"resource\":{\"attributes\":["
		"{\"key\":\"service.name\",\"value\":{\"stringValue\":\"esteira-ocr\"}},"
		"{\"key\":\"service.version\",\"value\":{\"stringValue\":\"1.2.3\"}},"
		"{\"key\":\"service.instance.id\",\"value\":{\"stringValue\":\"host-7\"}}]},"
		"\"scopeSpans\":[{\"scope\":{\"name\":\"esteira\",\"version\":\"1.2.3\"},"
		"\"spans\":[{\"traceId\":\"4bf92f3577b34da6a3ce929d0e0e4736\","
		"\"spanId\":\"00f067aa0ba902b7\",\"parentSpanId\":\"b7ad6b7169203331\","
		"\"name\":\"process esteira.ocr.jobs\",\"flags\":1,\"kind\":5,"
		"\"startTimeUnixNano\":\"1790000000123456000\","
		"\"endTimeUnixNano\":\"1790000000123457000\","
		"\"attributes\":[{\"key\":\"messaging.kafka.offset\",\"value\":"
		"{\"intValue\":\"9007199254740993\"}},"
		"{\"key\":\"esteira.tenant.id\",\"value\":{\"stringValue\":\"al\\\"fa\\n\"}}]},"
		"{\"traceId\":\"4bf92f3577b34da6a3ce929d0e0e4736\","
		"\"spanId\":\"00f067aa0ba902b7\",\"name\":\"process\",\"flags\":1,\"kind\":5,"
		"\"startTimeUnixNano\":\"1790000000123456000\","
		"\"endTimeUnixNano\":\"1790000000123457000\","
		"\"attributes\":[],\"status\":{\"code\":2}}],"
		"\"schemaUrl\":\"https://opentelemetry.io/schemas/1.44.0\"}]}]}");
}
END_TEST

static const struct {
	const char *given, *shown;
} texts[] = {
	{ HUNDRED HUNDRED TEN TEN TEN TEN TEN "123456789",
		HUNDRED HUNDRED TEN TEN TEN TEN TEN "123456" },
	/* the 256th byte is the first of a character's two */
	{ HUNDRED HUNDRED TEN TEN TEN TEN TEN "12345\xc3\xa7\xc3\xa3o",
		HUNDRED HUNDRED TEN TEN TEN TEN TEN "12345" },
	{ "\xff\xfe", "(not UTF-8)" },
	{ "", "" },
	{ NULL, "" },
};

START_TEST(texts_are_bounded)
{
	const struct otlp_attribute attribute = { OTLP_HTTP_ROUTE, texts[_i].given, 0 };
	const struct otlp_span span = span_of(&attribute, 1);
	char wanted[512];

	otlp_add(&span, &out);
	snprintf(wanted, sizeof wanted,
		"\"attributes\":[{\"key\":\"http.route\",\"value\":{\"stringValue\":\"%s\"}}]",
		texts[_i].shown);
	ck_assert_ptr_nonnull(strstr(out.ptr, wanted));
}
END_TEST

START_TEST(the_largest_span_fits)
{
	struct otlp_attribute attributes[16];
	char text[OTLP_TEXT_MAX + 1];

	memset(text, 1, OTLP_TEXT_MAX); /* six bytes of JSON each */
	text[OTLP_TEXT_MAX] = '\0';
	for (size_t i = 0; i < 16; i++)
		attributes[i] = (struct otlp_attribute){ OTLP_MESSAGING_PARTITION, text, 0 };
	struct otlp_span span = span_of(attributes, 14);
	span.verb = span.object = text;
	otlp_add(&span, &out);
	ck_assert_uint_lt(out.len, OTLP_SPAN_MAX_BYTES);
}
END_TEST

static const struct {
	const char *answer;
	int64_t rejected;
} answers[] = {
	{ "", 0 },
	{ "{}", 0 },
	{ "{\"partialSuccess\":{}}", 0 },
	{ "{\"partialSuccess\":{\"rejectedSpans\":\"7\",\"errorMessage\":\"why\"}}", 7 },
	{ "{\"partialSuccess\":{\"rejectedSpans\":\"-7\"}}", 0 },
	{ "{\"partialSuccess\":{\"rejectedSpans\":\"99999999999999\"}}", 0 },
	{ "<html>", 0 },
};

START_TEST(what_was_refused)
{
	ck_assert_int_eq(otlp_rejected(str_of(answers[_i].answer)), answers[_i].rejected);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("otlp");
	TCase *tcase = tcase_create("otlp");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, a_request_is_this);
	tcase_add_loop_test(tcase, texts_are_bounded, 0, sizeof texts / sizeof *texts);
	tcase_add_test(tcase, the_largest_span_fits);
	tcase_add_loop_test(tcase, what_was_refused, 0, sizeof answers / sizeof *answers);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
