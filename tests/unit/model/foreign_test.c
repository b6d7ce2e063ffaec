#include "model/foreign.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define TRACE	     "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
#define TRACE_2	     "00-11111111111111111111111111111111-2222222222222222-00"
#define TEN	     "0123456789"
#define TEXT_255                                                                                   \
	TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN    \
		TEN TEN TEN "01234"

/* Headers of a row; the first without a name ends them. */
struct row_headers {
	const char *items[12][2];
};

static struct headers headers_of(const struct row_headers *row)
{
	struct headers headers = { .count = 0 };

	for (size_t i = 0; i < COUNT(row->items) && row->items[i][0] != NULL; i++)
		ck_assert(envelope_add(&headers, row->items[i][0], str_of(row->items[i][1])));
	return headers;
}

static void expect_text(size_t row, const char *name, const char *text, const char *expected)
{
	if (text == NULL || expected == NULL)
		ck_assert_msg(text == expected, "row %zu: %s", row, name);
	else
		ck_assert_msg(strcmp(text, expected) == 0, "row %zu: %s is %s", row, name, text);
}

static void expect_same(size_t row, const struct foreign *foreign, const struct foreign *expected)
{
	expect_text(row, "id", foreign->id, expected->id);
	expect_text(row, "type", foreign->type, expected->type);
	expect_text(row, "source", foreign->source, expected->source);
	expect_text(row, "subject", foreign->subject, expected->subject);
	ck_assert_msg(foreign->time_ms == expected->time_ms, "row %zu: time", row);
	expect_text(row, "dataschema", foreign->dataschema, expected->dataschema);
	expect_text(row, "traceparent", foreign->traceparent, expected->traceparent);
	expect_text(row, "partitionkey", foreign->partitionkey, expected->partitionkey);
	ck_assert_msg(str_eq(foreign->data, expected->data), "row %zu: %.*s", row,
		(int)foreign->data.len, foreign->data.ptr);
}

/* clang-format off */
#define DATA "{\"amount\": 0.10, \"of\":123456789012345678.901,\n\"a\\u00e7\":[1,{}]}"

static const struct foreign full = { "order-42", "erp.order.placed.v1", "/erp/orders", "acme",
	INT64_C(1768559400000), "urn:acme:order", TRACE, "order", STR(DATA) };
static const struct foreign least = { .type = "t", .time_ms = CODEC_NO_INT, .data = STR("{}") };
static const struct foreign customer = { .id = "7f0c", .type = "cobranca.approved",
	.subject = "acme", .time_ms = INT64_C(1768559400000),
	.data = STR("{ \"confidence\": 0.92 }") };

#define FULL_JSON                                                                                  \
	"{\"specversion\":\"1.0\",\"id\":\"order-42\",\"type\":\"erp.order.placed.v1\","           \
	"\"source\":\"/erp/orders\",\"subject\":\"acme\",\"time\":\"2026-01-16T07:30:00-03:00\","  \
	"\"dataschema\":\"urn:acme:order\",\"datacontenttype\":\"application/json\","              \
	"\"traceparent\":\"" TRACE "\",\"partitionkey\":\"order\",\"sequence\":7,"                 \
	"\"data\": " DATA " }"
#define LEAST_JSON "{\"specversion\":\"1.0\",\"type\":\"t\",\"data\":{}}"
#define CUSTOMER_JSON                                                                              \
	"{\n  \"event_id\": \"7f0c\",\n  \"event_type\": \"cobranca.approved\",\n"                 \
	"  \"timestamp\": \"2026-01-16T10:30:00Z\",\n  \"tenant_id\": \"acme\",\n"                 \
	"  \"payload\": { \"confidence\": 0.92 }\n}\n"

#define FULL_HEADERS                                                                               \
	{ "ce_specversion", "1.0" }, { "ce_id", "order-42" }, { "ce_type", "erp.order.placed.v1" },\
	{ "ce_source", "/erp/orders" }, { "ce_subject", "acme" },                                  \
	{ "ce_time", "2026-01-16T10:30:00.000Z" }, { "ce_dataschema", "urn:acme:order" },          \
	{ "content-type", "application/json; charset=utf-8" }, { "ce_partitionkey", "order" }
#define LEAST_HEADERS { "ce_specversion", "1.0" }, { "ce_type", "t" }
#define CLOUDEVENTS   "application/cloudevents+json"

static const struct {
	struct row_headers headers;
	const char *value;
	const struct foreign *expected;
} records[] = {
	/* binary */
	{ { { FULL_HEADERS, { "traceparent", TRACE } } }, DATA, &full },
	{ { { FULL_HEADERS, { "ce_traceparent", TRACE } } }, DATA, &full },
	{ { { FULL_HEADERS, { "traceparent", TRACE }, { "ce_traceparent", TRACE_2 } } }, DATA, &full },
	{ { { FULL_HEADERS, { "traceparent", TRACE }, { "ce_sequence", "\xff\x01" } } }, DATA, &full },
	{ { { LEAST_HEADERS } }, "{}", &least },
	{ { { LEAST_HEADERS, { "content-type", "application/json" } } }, "{}", &least },
	{ { { LEAST_HEADERS, { "content-type", "Application/Vnd.Acme+JSON ; v=1" } } }, "{}", &least },
	{ { { LEAST_HEADERS, { "content-type", "text/json" } } }, "{}", &least },
	{ { { LEAST_HEADERS } }, " {}\r\n", &least },
	/* a trace that is no text is none; what the origin said stands */
	{ { { LEAST_HEADERS, { "ce_traceparent", "\x01" } } }, "{}", &least },
	{ { { LEAST_HEADERS, { "ce_traceparent", "" } } }, "{}", &least },
	{ { { LEAST_HEADERS, { "traceparent", "" } } }, "{}", &least },
	{ { { LEAST_HEADERS, { "traceparent", "\xff" } } }, "{}", &least },
	{ { { LEAST_HEADERS, { "traceparent", TEXT_255 "x" } } }, "{}", &least },
	{ { { FULL_HEADERS, { "ce_traceparent", TRACE }, { "traceparent", "" } } }, DATA, &full },
	{ { { LEAST_HEADERS, { "other", "a" }, { "other", "b" } } }, "{}", &least },
	/* structured; ce_* headers are ignored then */
	{ { { { "content-type", CLOUDEVENTS } } }, FULL_JSON, &full },
	{ { { { "content-type", "APPLICATION/CloudEvents+JSON; charset=UTF-8" } } }, FULL_JSON, &full },
	{ { { { "content-type", "application/cloudevents" } } }, FULL_JSON, &full },
	{ { { { "content-type", CLOUDEVENTS }, { "ce_id", "another" }, { "ce_id", "third" },
		{ "ce_specversion", "9" } } }, FULL_JSON, &full },
	{ { { { "content-type", CLOUDEVENTS } } }, LEAST_JSON, &least },
	/* JSON alone */
	{ { { { NULL } } }, CUSTOMER_JSON, &customer },
	{ { { { "content-type", "application/json" }, { "other", "x" } } }, CUSTOMER_JSON, &customer },
	{ { { { NULL } } }, FULL_JSON, &full },
	{ { { { "content-type", "text/plain" } } }, LEAST_JSON, &least },
};
/* clang-format on */

START_TEST(reads_every_form)
{
	struct arena *arena = arena_new(1 << 16);

	for (size_t i = 0; i < COUNT(records); i++) {
		struct headers headers = headers_of(&records[i].headers);
		struct foreign foreign;
		struct err e =
			foreign_read_record(&headers, str_of(records[i].value), arena, &foreign);
		ck_assert_msg(e.kind == ERR_OK, "row %zu: %s", i, e.msg);
		expect_same(i, &foreign, records[i].expected);
		ck_assert(foreign.data.ptr >= records[i].value); /* borrowed, not copied */
		ck_assert(foreign.data.ptr < records[i].value + strlen(records[i].value));
	}
	arena_free(arena);
}
END_TEST

START_TEST(the_hop_is_nearer_than_the_origin)
{
	struct headers headers = { .count = 0 };
	struct arena *arena = arena_new(1 << 16);
	struct foreign foreign;

	envelope_add(&headers, "traceparent", STR(TRACE_2));
	ck_assert_int_eq(
		foreign_read_record(&headers, STR(FULL_JSON), arena, &foreign).kind, ERR_OK);
	ck_assert_str_eq(foreign.traceparent, TRACE_2);
	ck_assert_int_eq(
		foreign_read_record(&headers, STR(CUSTOMER_JSON), arena, &foreign).kind, ERR_OK);
	ck_assert_str_eq(foreign.traceparent, TRACE_2);
	arena_free(arena);
}
END_TEST

/* clang-format off */
#define CE(rest) "{\"specversion\":\"1.0\",\"type\":\"t\"," rest ",\"data\":{}}"
#define NO_TIME .time_ms = CODEC_NO_INT
#define CUSTOM(rest) "{\"event_type\":\"t\"," rest ",\"payload\":{}}"
#define TYPE(type) "{\"specversion\":\"1.0\",\"type\":" type ",\"data\":{}}"

static const struct {
	const char *json;
	struct foreign expected;
} texts[] = {
	{ CE("\"id\":\"" TEXT_255 "\""), { NO_TIME, .id = TEXT_255 } },
	{ CE("\"id\":\"a b/\\u00e7\\\"\\\\\""), { NO_TIME, .id = "a b/\xc3\xa7\"\\" } },
	{ CE("\"id\":\"\xc2\xa0\xc3\x80\""), { NO_TIME, .id = "\xc2\xa0\xc3\x80" } },
	{ CE("\"source\":\"urn:acme:s\xc3\xa3o?a=%20#b\""), { NO_TIME, .source = "urn:acme:s\xc3\xa3o?a=%20#b" } },
	{ CE("\"id\":null,\"source\":null,\"time\":null,\"data_base64x\":1"), { NO_TIME } },
	{ CE("\"timestamp\":5,\"payload\":5,\"tenantid\":5,\"event_id\":5"), { NO_TIME } },
	{ CE("\"time\":\"1969-12-31T23:59:59.999Z\""), { .time_ms = -1 } },
	{ CE("\"time\":\"1970-01-01T00:00:00Z\""), { .time_ms = 0 } },
	{ CE("\"time\":\"2026-01-16t10:30:00.123456+00:00\""), { .time_ms = INT64_C(1768559400123) } },
	{ CE("\"datacontenttype\":\"application/vnd.acme+json\""), { NO_TIME } },
	{ "{\"data\":{},\"type\":\"t\",\"specversion\":\"1.0\"}", { NO_TIME } },
	{ "{\"d\\u0061ta\":{},\"t\\u0079pe\":\"t\",\"\\u0073pecversion\":\"1.0\"}", { NO_TIME } },
	{ "{\"more\":{\"data\":[]},\"specversion\":\"1.0\",\"type\":\"t\",\"data\":{}}", { NO_TIME } },
	{ CE("\"traceparent\":\"\""), { NO_TIME } },
	{ CE("\"traceparent\":\"\\u0001\""), { NO_TIME } },
	{ CUSTOM("\"event_id\":null,\"timestamp\":null,\"tenant_id\":null"), { NO_TIME } },
	{ CUSTOM("\"id\":5,\"type\":5,\"time\":5,\"data\":5,\"data_base64\":\"\""), { NO_TIME } },
	{ "{\"payload\":{},\"event_type\":\"t\"}", { NO_TIME } },
};

/* word: what the message must contain, so that the sender finds the place. */
static const struct {
	const char *json, *word;
} refused[] = {
	{ "", "empty" }, { " ", "JSON" }, { "{", "JSON" }, { "null", "not an object" }, { "5", "not an object" }, { "order", "JSON" },
	{ "[]", "object" }, { "[" LEAST_JSON "]", "object" },
	{ LEAST_JSON LEAST_JSON, "JSON" },
	{ "\xef\xbb\xbf" LEAST_JSON, "JSON" },
	{ "{}", "event_type: missing, and so is specversion" },
	{ "{\"payload\":{}}", "event_type" },
	{ CE("\"id\":\"a\",\"id\":\"b\""), "key twice" },
	{ CE("\"more\":{\"a\":1,\"a\":2}"), "key twice" },
	{ CE("\"d\\u0061ta\":{}"), "key twice" },
	{ CE("\"id\":\"\xe7\""), "JSON" },
	{ CE("\"more\":\"\xc3\""), "JSON" },
	{ CE("\"more\":\"\\u0000\""), "JSON" },
	{ CE("\"more\":1e999"), "JSON" },
	{ CE("\"more\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]"), "deeply" },
	{ "{\"specversion\":\"0.3\",\"type\":\"t\",\"data\":{}}", "specversion: not 1.0" },
	{ "{\"specversion\":\"1.0.2\",\"type\":\"t\",\"data\":{}}", "specversion: not 1.0" },
	{ "{\"specversion\":1.0,\"type\":\"t\",\"data\":{}}", "specversion: not a string" },
	{ "{\"specversion\":null,\"type\":\"t\",\"data\":{}}", "specversion: missing" },
	{ "{\"specversion\":\"1.0\",\"data\":{}}", "type: missing" },
	{ TYPE("null"), "type: missing" }, { TYPE("1"), "type: not a string" },
	{ TYPE("\"\""), "type: empty" }, { TYPE("\"a\\u001fb\""), "type: with control" },
	{ TYPE("\"" TEXT_255 "x\""), "type: too long" },
	{ CE("\"id\":7"), "id: not a string" }, { CE("\"id\":\"\""), "id: empty" },
	{ CE("\"id\":\"" TEXT_255 "x\""), "id: too long" },
	{ CE("\"id\":\"a\\u001fb\""), "id: with control" },
	{ CE("\"id\":\"a\\nb\""), "id: with control" },
	{ CE("\"id\":\"a\x7f\""), "id: with control" },
	{ CE("\"id\":\"a\xc2\x9f\""), "id: with control" },
	{ CE("\"source\":{}"), "source: not a string" }, { CE("\"source\":\"\""), "source: empty" },
	{ CE("\"source\":\"a b\""), "source: not a URI" },
	{ CE("\"source\":\"<a>\""), "source: not a URI" },
	{ CE("\"source\":\"a\\u001f\""), "source: with control" },
	{ CE("\"source\":\"" TEXT_255 "x\""), "source: too long" },
	{ CE("\"subject\":[]"), "subject: not" }, { CE("\"subject\":\"\""), "subject: empty" },
	{ CE("\"subject\":\"" TEXT_255 "x\""), "subject: too long" },
	{ CE("\"time\":\"2026-01-16T10:30:00\""), "time: not an RFC 3339 time with a zone" },
	{ CE("\"time\":\"2026-01-16\""), "time: not" }, { CE("\"time\":\"\""), "time: not" },
	{ CE("\"time\":\"2026-02-29T10:30:00Z\""), "time: not" },
	{ CE("\"time\":1768559400"), "time: not" },
	{ CE("\"dataschema\":\"a b\""), "dataschema: not a URI" },
	{ CE("\"dataschema\":\"" TEXT_255 "x\""), "dataschema: too long" },
	{ CE("\"datacontenttype\":\"application/xml\""), "datacontenttype: not JSON" },
	{ CE("\"datacontenttype\":\"json\""), "datacontenttype: not JSON" },
	{ CE("\"partitionkey\":\"" TEXT_255 "x\""), "partitionkey: too long" },
	{ CE("\"partitionkey\":\"a\\tb\""), "partitionkey: with control" },
	{ CE("\"data_base64\":\"e30=\""), "data_base64: not taken" },
	{ "{\"specversion\":\"1.0\",\"type\":\"t\",\"data_base64\":\"e30=\"}", "data_base64: not taken" },
	{ "{\"specversion\":\"1.0\",\"type\":\"t\"}", "data: missing" },
	{ "{\"specversion\":\"1.0\",\"type\":\"t\",\"data\":null}", "data: not an object" },
	{ "{\"specversion\":\"1.0\",\"type\":\"t\",\"data\":[{}]}", "data: not an object" },
	{ "{\"specversion\":\"1.0\",\"type\":\"t\",\"data\":\"{}\"}", "data: not an object" },
	{ "{\"specversion\":\"1.0\",\"type\":\"t\",\"data\":1}", "data: not an object" },
	{ CUSTOM("\"event_id\":7"), "event_id: not a string" },
	{ CUSTOM("\"event_id\":\"\""), "event_id: empty" },
	{ CUSTOM("\"event_id\":\"a\\u001f\""), "event_id: with control" },
	{ CUSTOM("\"event_id\":\"" TEXT_255 "x\""), "event_id: too long" },
	{ CUSTOM("\"timestamp\":\"2026-01-16T10:30:00\""), "timestamp: not an RFC 3339" },
	{ CUSTOM("\"timestamp\":1768559400"), "timestamp: not" },
	{ CUSTOM("\"tenant_id\":42"), "tenant_id: not a string" },
	{ CUSTOM("\"tenant_id\":\"\""), "tenant_id: empty" },
	{ "{\"event_type\":\"\",\"payload\":{}}", "event_type: empty" },
	{ "{\"event_type\":[],\"payload\":{}}", "event_type: not a string" },
	{ "{\"event_type\":\"t\"}", "payload: missing" },
	{ "{\"event_type\":\"t\",\"data\":{}}", "payload: missing" },
	{ "{\"event_type\":\"t\",\"payload\":[]}", "payload: not an object" },
	{ "{\"event_type\":\"t\",\"payload\":null}", "payload: not an object" },
};
/* clang-format on */

START_TEST(reads_what_json_allows)
{
	struct arena *arena = arena_new(1 << 16);

	for (size_t i = 0; i < COUNT(texts); i++) {
		struct foreign foreign, expected = texts[i].expected;
		expected.type = "t";
		expected.data = STR("{}");
		struct err e = foreign_read_json(str_of(texts[i].json), arena, &foreign);
		ck_assert_msg(e.kind == ERR_OK, "row %zu: %s", i, e.msg);
		expect_same(i, &foreign, &expected);
	}
	arena_free(arena);
}
END_TEST

static void expect_refusal(size_t row, struct err e, enum err_code code, const char *word)
{
	ck_assert_msg(e.kind == ERR_REJECT && e.code == code, "row %zu: %d %s", row, e.kind, e.msg);
	ck_assert_msg(strstr(e.msg, word) != NULL, "row %zu: %s", row, e.msg);
}

START_TEST(refuses_json)
{
	struct arena *arena = arena_new(1 << 16);

	for (size_t i = 0; i < COUNT(refused); i++) {
		struct foreign foreign, before;
		memset(&foreign, 0x5a, sizeof foreign);
		memcpy(&before, &foreign, sizeof foreign);
		struct err e = foreign_read_json(str_of(refused[i].json), arena, &foreign);
		expect_refusal(i, e, ERR_CODE_BAD_RECORD, refused[i].word);
		ck_assert(memcmp(&foreign, &before, sizeof foreign) == 0);
	}
	arena_free(arena);
}
END_TEST

/* clang-format off */
static const struct {
	struct row_headers headers;
	const char *value, *word;
} refused_records[] = {
	{ { { { "ce_type", "t" } } }, "{}", "ce_specversion: missing" },
	{ { { { "ce_specversion", "0.3" }, { "ce_type", "t" } } }, "{}", "ce_specversion: not 1.0" },
	{ { { { "ce_specversion", "1.0" } } }, "{}", "ce_type: missing" },
	{ { { { "ce_custom", "x" } } }, CUSTOMER_JSON, "ce_specversion: missing" },
	{ { { LEAST_HEADERS, { "ce_type", "t" } } }, "{}", "ce_type: more than once" },
	{ { { LEAST_HEADERS, { "ce_id", "a" }, { "ce_id", "b" } } }, "{}", "ce_id: more than once" },
	{ { { LEAST_HEADERS, { "ce_id", "" } } }, "{}", "ce_id: empty" },
	{ { { LEAST_HEADERS, { "ce_id", TEXT_255 "x" } } }, "{}", "ce_id: too long" },
	{ { { LEAST_HEADERS, { "ce_id", "\xe7" } } }, "{}", "ce_id: too long or not UTF-8" },
	{ { { LEAST_HEADERS, { "ce_id", "a\x1f" "b" } } }, "{}", "ce_id: with control" },
	{ { { LEAST_HEADERS, { "ce_id", "a\xc2\x80" } } }, "{}", "ce_id: with control" },
	{ { { LEAST_HEADERS, { "ce_source", "a b" } } }, "{}", "ce_source: not a URI" },
	{ { { LEAST_HEADERS, { "ce_source", "a\x1f" } } }, "{}", "ce_source: with control" },
	{ { { LEAST_HEADERS, { "ce_subject", "" } } }, "{}", "ce_subject: empty" },
	{ { { LEAST_HEADERS, { "ce_time", "2026-01-16T10:30:00" } } }, "{}", "ce_time: not an RFC" },
	{ { { LEAST_HEADERS, { "ce_time", "" } } }, "{}", "ce_time: not an RFC" },
	{ { { LEAST_HEADERS, { "ce_dataschema", "{a}" } } }, "{}", "ce_dataschema: not a URI" },
	{ { { LEAST_HEADERS, { "ce_partitionkey", TEXT_255 "x" } } }, "{}", "ce_partitionkey: too" },
	{ { { LEAST_HEADERS, { "content-type", "avro/binary" } } }, "{}", "content-type: not JSON" },
	{ { { LEAST_HEADERS, { "content-type", "+json" } } }, "{}", "content-type: not JSON" },
	{ { { LEAST_HEADERS, { "content-type", "application/json" },
		{ "content-type", "text/xml" } } }, "{}", "content-type: more than once" },
	{ { { LEAST_HEADERS } }, "", "empty" }, { { { LEAST_HEADERS } }, NULL, "empty" },
	{ { { LEAST_HEADERS } }, "[]", "data: not an object" },
	{ { { LEAST_HEADERS } }, "null", "not an object" }, { { { LEAST_HEADERS } }, "{}{}", "JSON" },
	{ { { LEAST_HEADERS } }, "{\"a\":1,\"a\":2}", "key twice" },
	{ { { LEAST_HEADERS } }, "{\"a\":\"\xe7\"}", "JSON" },
	{ { { LEAST_HEADERS } }, "{\"a\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}", "deeply" },
	{ { { { "content-type", "application/cloudevents-batch+json" } } }, "[]", "content-type: not one" },
	{ { { { "content-type", "application/cloudevents+avro" } } }, "", "content-type: not one" },
	{ { { { "content-type", "application/cloudeventsx" } } }, LEAST_JSON, "content-type: not one" },
	{ { { { "content-type", CLOUDEVENTS }, LEAST_HEADERS } }, "{}", "field specversion: missing" },
	{ { { { "content-type", CLOUDEVENTS } } }, CUSTOMER_JSON, "field specversion: missing" },
	{ { { { "content-type", CLOUDEVENTS } } }, "", "JSON" },
	{ { { { NULL } } }, "", "empty" }, { { { { NULL } } }, NULL, "empty" },
	{ { { { NULL } } }, "{}", "event_type: missing" },
};
/* clang-format on */

START_TEST(refuses_records)
{
	struct arena *arena = arena_new(1 << 16);

	for (size_t i = 0; i < COUNT(refused_records); i++) {
		struct headers headers = headers_of(&refused_records[i].headers);
		struct foreign foreign, before;
		memset(&foreign, 0x5a, sizeof foreign);
		memcpy(&before, &foreign, sizeof foreign);
		struct err e = foreign_read_record(
			&headers, str_of(refused_records[i].value), arena, &foreign);
		expect_refusal(i, e, ERR_CODE_BAD_RECORD, refused_records[i].word);
		ck_assert(memcmp(&foreign, &before, sizeof foreign) == 0);
	}
	arena_free(arena);
}
END_TEST

/* A consumer keeps 32 headers; an attribute beyond them would be missing without a word. */
START_TEST(refuses_headers_that_may_be_cut)
{
	static const struct row_headers row = { { LEAST_HEADERS } };
	struct headers headers = headers_of(&row);
	struct arena *arena = arena_new(1 << 16);
	struct foreign foreign;

	while (headers.count < ENVELOPE_READ_MAX - 1)
		envelope_add(&headers, "other", STR("x"));
	ck_assert_int_eq(foreign_read_record(&headers, STR("{}"), arena, &foreign).kind, ERR_OK);
	envelope_add(&headers, "other", STR("x"));
	expect_refusal(0, foreign_read_record(&headers, STR("{}"), arena, &foreign),
		ERR_CODE_BAD_RECORD, "32 headers");
	arena_free(arena);
}
END_TEST

/* head, then an object of size_bytes, then tail. */
static struct buf sized(const char *head, size_t size_bytes, const char *tail)
{
	struct buf json = BUF(1 << 20);

	buf_addf(&json, "%s{\"a\":\"", head);
	for (size_t i = 8; i < size_bytes; i++)
		buf_add(&json, "x", 1);
	buf_addf(&json, "\"}%s", tail);
	return json;
}

START_TEST(limits_the_size)
{
	static const struct row_headers binary = { { LEAST_HEADERS } };
	static const char head[] = "{\"specversion\":\"1.0\",\"type\":\"t\",\"data\":";
	static const struct {
		size_t data_bytes, space_bytes;
		bool good;
	} rows[] = {
		{ ENVELOPE_BYTES_MAX, 0, true },
		{ ENVELOPE_BYTES_MAX + 1, 0, false },
		{ 257 * 1024, 0, false },
		{ 100, FOREIGN_BYTES_MAX - 200, true },
		{ 100, FOREIGN_BYTES_MAX - 100, false },
	};
	struct headers headers = headers_of(&binary);
	struct arena *arena = arena_new(1 << 16);
	struct foreign foreign;

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf data = sized("", rows[i].data_bytes, "");
		struct buf json = sized(head, rows[i].data_bytes, "}");
		for (size_t k = 0; k < rows[i].space_bytes; k++)
			buf_add(&json, " ", 1);
		struct err e = foreign_read_json(buf_str(&json), arena, &foreign);
		ck_assert_msg(
			rows[i].good ? e.kind == ERR_OK : err_is(e, ERR_CODE_RECORD_TOO_LARGE),
			"row %zu: %s", i, e.msg);
		if (rows[i].space_bytes == 0) {
			e = foreign_read_record(&headers, buf_str(&data), arena, &foreign);
			ck_assert_msg(rows[i].good ? e.kind == ERR_OK
						   : err_is(e, ERR_CODE_RECORD_TOO_LARGE),
				"row %zu: %s", i, e.msg);
		}
		buf_done(&data);
		buf_done(&json);
	}
	arena_free(arena);
}
END_TEST

START_TEST(keeps_to_its_memory)
{
	static const struct row_headers binary = { { FULL_HEADERS } };
	struct headers headers = headers_of(&binary);
	struct foreign foreign;

	for (size_t ceiling = 0; ceiling < 64; ceiling += 16) {
		struct arena *arena = arena_new(ceiling);
		struct err e = foreign_read_json(STR(FULL_JSON), arena, &foreign);
		ck_assert(err_is(e, ERR_CODE_RECORD_TOO_LARGE));
		e = foreign_read_record(&headers, STR(DATA), arena, &foreign);
		ck_assert(err_is(e, ERR_CODE_RECORD_TOO_LARGE));
		arena_free(arena);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("foreign");
	TCase *tcase = tcase_create("foreign");

	tcase_add_test(tcase, reads_every_form);
	tcase_add_test(tcase, the_hop_is_nearer_than_the_origin);
	tcase_add_test(tcase, reads_what_json_allows);
	tcase_add_test(tcase, refuses_json);
	tcase_add_test(tcase, refuses_records);
	tcase_add_test(tcase, refuses_headers_that_may_be_cut);
	tcase_add_test(tcase, limits_the_size);
	tcase_add_test(tcase, keeps_to_its_memory);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
