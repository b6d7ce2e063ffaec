#include "model/codec.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

struct part {
	const char *name;
	int64_t count;
};

static const struct codec_field part_fields[] = {
	CODEC_FIELD(struct part, name, CODEC_TEXT, CODEC_PLAIN, true, 8),
	CODEC_FIELD(struct part, count, CODEC_INT, CODEC_PLAIN, false, 0),
	CODEC_END,
};
static const struct codec_type part_type = { "part", sizeof(struct part), part_fields };

struct whole {
	const char *text;
	int64_t number;
	double real;
	bool flag;
	struct id id;
	int64_t at;
	struct part part;
	struct codec_list parts;
};

#define FIELD(member, kind, max) CODEC_FIELD(struct whole, member, kind, CODEC_PLAIN, false, max)

static const struct codec_field whole_fields[] = {
	CODEC_FIELD(struct whole, text, CODEC_TEXT, CODEC_PLAIN, true, 5),
	FIELD(number, CODEC_INT, 0),
	FIELD(real, CODEC_REAL, 0),
	FIELD(flag, CODEC_BOOL, 0),
	FIELD(id, CODEC_ID, 0),
	FIELD(at, CODEC_TIME, 0),
	CODEC_SUB(struct whole, part, CODEC_OBJECT, false, 0, &part_type),
	CODEC_SUB(struct whole, parts, CODEC_LIST, false, 2, &part_type),
	CODEC_END,
};
static const struct codec_type whole_type = { "whole", sizeof(struct whole), whole_fields };

#define FULL                                                                                       \
	"{\"text\":\"a\\u0001\\\"\\\\\",\"number\":-9007199254740993,\"real\":91.25,"              \
	"\"flag\":true,\"id\":\"0190a0b0-0000-7000-8000-0000000000ff\","                           \
	"\"at\":\"2026-11-21T08:34:00.123Z\",\"part\":{\"name\":\"x\",\"count\":1},"               \
	"\"parts\":[{\"name\":\"y\"},{\"name\":\"z\",\"count\":2}]}"

static struct err read_whole(const char *json, struct arena *arena, struct whole *ret_whole)
{
	return codec_read(&whole_type, str_of(json), arena, ret_whole);
}

START_TEST(comes_back_as_it_was)
{
	struct arena *arena = arena_new(1 << 16);
	struct buf out = BUF(4096);
	struct whole whole;

	ck_assert_int_eq(read_whole(FULL, arena, &whole).kind, ERR_OK);
	ck_assert_str_eq(whole.text, "a\001\"\\");
	ck_assert(whole.number == -INT64_C(9007199254740993)); /* no double could hold it */
	ck_assert(whole.real == 91.25 && whole.flag);
	ck_assert_int_eq(whole.id.bytes[15], 0xff);
	ck_assert(whole.at == INT64_C(1795250040123));
	ck_assert_str_eq(whole.part.name, "x");
	ck_assert_uint_eq(whole.parts.count, 2);
	ck_assert(((struct part *)whole.parts.items)[0].count == CODEC_NO_INT);
	ck_assert_str_eq(((struct part *)whole.parts.items)[1].name, "z");
	ck_assert_int_eq(codec_write(&whole_type, &whole, CODEC_TO_TOPIC, &out).kind, ERR_OK);
	ck_assert_str_eq(out.ptr, FULL);
	buf_done(&out);
	arena_free(arena);
}
END_TEST

START_TEST(a_zero_has_no_sign)
{
	struct arena *arena = arena_new(1 << 16);
	struct buf out = BUF(4096);
	struct whole whole;

	ck_assert_int_eq(read_whole("{\"text\":\"t\",\"real\":-0.0,\"part\":{\"name\":\"n\"}}",
				 arena, &whole)
				 .kind,
		ERR_OK);
	ck_assert(whole.real == 0 && signbit(whole.real));
	ck_assert_int_eq(codec_write(&whole_type, &whole, CODEC_TO_TOPIC, &out).kind, ERR_OK);
	ck_assert_ptr_nonnull(strstr(out.ptr, "\"real\":0,"));
	buf_done(&out);
	arena_free(arena);
}
END_TEST

#define NULLS                                                                                      \
	"{\"text\":\"t\",\"number\":null,\"real\":null,\"id\":null,\"at\":null,"                   \
	"\"part\":{\"name\":\"n\",\"count\":null},\"parts\":null}"

START_TEST(reads_what_a_newer_writer_sends)
{
	static const char *const same[] = {
		"{\"text\":\"t\",\"part\":{\"name\":\"n\"}}",
		" {\"part\" : { \"newer\":[1,{}], \"name\":\"n\" } ,\t\"text\"\n:\"t\"}\r\n",
		"{\"newer\":{\"deep\":[[[]]]},\"text\":\"t\",\"part\":{\"name\":\"n\"}}",
		NULLS,
		"{\"text\":\"\\u0074\",\"part\":{\"name\":\"n\"},\"parts\":[]}",
	};
	struct arena *arena = arena_new(1 << 16);

	for (size_t i = 0; i < COUNT(same); i++) {
		struct buf out = BUF(4096);
		struct whole whole;
		ck_assert_int_eq(read_whole(same[i], arena, &whole).kind, ERR_OK);
		ck_assert(whole.number == CODEC_NO_INT && whole.at == CODEC_NO_INT);
		ck_assert(isnan(whole.real) && !whole.flag && id_is_nil(whole.id));
		ck_assert_int_eq(
			codec_write(&whole_type, &whole, CODEC_TO_TOPIC, &out).kind, ERR_OK);
		ck_assert_str_eq(out.ptr, "{\"text\":\"t\",\"flag\":false,\"part\":{\"name\":\"n\"}"
					  ",\"parts\":[]}");
		buf_done(&out);
	}
	arena_free(arena);
}
END_TEST

/* Of a request somebody typed; members of the parts are not looked at. */
START_TEST(reads_exactly)
{
	static const struct {
		const char *json, *also, *said; /* said NULL: taken */
		enum err_code code;
	} rows[] = {
		{ "{\"text\":\"t\",\"part\":{\"name\":\"n\",\"newer\":1}}", NULL, NULL,
			ERR_CODE_NONE },
		{ NULLS, NULL, NULL, ERR_CODE_NONE },
		{ "{\"text\":\"t\",\"part\":{\"name\":\"n\"},\"more\":1}", "more", NULL,
			ERR_CODE_NONE },
		{ "{\"text\":\"t\",\"part\":{\"name\":\"n\"},\"more\":null}", NULL,
			"more is unknown here", ERR_CODE_BAD_PARAMETER },
		{ "{\"text\":\"t\",\"part\":{\"name\":\"n\"},\"Text\":\"t\"}", "more",
			"Text is unknown here", ERR_CODE_BAD_PARAMETER },
		{ "{\"te\\u0078t\":\"t\",\"part\":{\"name\":\"n\"}}", NULL, NULL, ERR_CODE_NONE },
		{ "{\"\\u000a\":1}", NULL, "a member that is unknown here",
			ERR_CODE_BAD_PARAMETER },
		{ "{\"\":1}", NULL, "a member that is unknown here", ERR_CODE_BAD_PARAMETER },
		{ "{\"text\":1}", NULL, "field text: not a string", ERR_CODE_BAD_RECORD },
		{ "[]", NULL, "field whole: not an object", ERR_CODE_BAD_RECORD },
		{ "{", NULL, "not well-formed JSON", ERR_CODE_BAD_RECORD },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct arena *arena SCOPED(arena_drop) = arena_new(1 << 16);
		struct whole whole;
		struct err e = codec_read_exactly(
			&whole_type, rows[i].also, str_of(rows[i].json), arena, &whole);
		ck_assert_msg(e.code == rows[i].code, "%s: %s", rows[i].json, e.msg);
		if (rows[i].said != NULL)
			ck_assert_str_eq(e.msg, rows[i].said);
	}
}
END_TEST

#define WITH(rest) "{\"text\":\"t\",\"part\":{\"name\":\"n\"}," rest "}"

/* word: what the message must contain, so that whoever wrote the record finds the field. */
START_TEST(refuses)
{
	static const struct {
		const char *json, *word;
	} rows[] = {
		{ "", "JSON" },
		{ "null", "not an object" },
		{ "5", "not an object" },
		{ "1", "not an object" },
		{ "\"text\"", "not an object" },
		{ "[]", "object" },
		{ "{", "JSON" },
		{ "{}", "text" },
		{ "{\"text\":\"t\"} x", "JSON" },
		{ "{\"text\":\"t\"}{}", "JSON" },
		{ "{\"text\":\"t\",}", "JSON" },
		{ "{'text':'t'}", "JSON" },
		{ "{\"text\":\"t\",\"text\":\"u\"}", "a key twice" },
		{ "{\"text\":null}", "text" },
		{ "{\"text\":1}", "text" },
		{ "{\"text\":\"sixsix\"}", "text" },
		{ "{\"text\":\"\xe7\xe7\"}", "not UTF-8" },
		{ "{\"text\":\"\xc0\x80\"}", "not UTF-8" },
		{ "{\"text\":\"\\ud800\"}", "JSON" },
		{ "{\"text\":\"a\\u0000b\"}", "U+0000" },
		{ "{\"te\\u0000xt\":\"a\"}", "U+0000" },
		{ "{\"text\":\"a\nb\"}", "JSON" },
		{ "{\"text\":\"t\",\"part\":{}}", "name" },
		{ "{\"text\":\"t\",\"part\":[]}", "part" },
		{ "{\"text\":\"t\",\"part\":1}", "part" },
		{ WITH("\"number\":1.0"), "number" },
		{ WITH("\"number\":\"1\""), "number" },
		{ WITH("\"number\":true"), "number" },
		{ WITH("\"number\":9223372036854775808"), "64 bits" },
		{ WITH("\"number\":-111111111111111111111111111111"), "64 bits" },
		{ WITH("\"more\":{\"x\":[111111111111111111111111111111]}"), "64 bits" },
		{ WITH("\"number\":01"), "JSON" },
		{ WITH("\"number\":+1"), "JSON" },
		{ WITH("\"number\":NaN"), "JSON" },
		{ WITH("\"real\":\"1.5\""), "real" },
		{ WITH("\"real\":1e999"), "64 bits" },
		{ WITH("\"flag\":1"), "flag" },
		{ WITH("\"flag\":\"true\""), "flag" },
		{ WITH("\"id\":\"0190a0b0000070008000000000000001\""), "id" },
		{ WITH("\"id\":7"), "id" },
		{ WITH("\"at\":\"2026-11-21T08:34:00\""), "at" },
		{ WITH("\"at\":1795250040"), "at" },
		{ WITH("\"parts\":{}"), "parts" },
		{ WITH("\"parts\":[1]"), "part" },
		{ WITH("\"parts\":[null]"), "part" },
		{ WITH("\"parts\":[{}]"), "name" },
		{ WITH("\"parts\":[{\"name\":\"ninechars\"}]"), "name" },
		{ WITH("\"parts\":[{\"name\":\"a\"},{\"name\":\"b\"},{\"name\":\"c\"}]"), "parts" },
	};
	struct arena *arena = arena_new(1 << 16);

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct whole whole, before;
		memset(&whole, 0x5a, sizeof whole);
		memcpy(&before, &whole, sizeof whole);
		struct err e = read_whole(rows[i].json, arena, &whole);
		ck_assert_msg(e.kind == ERR_REJECT && e.code == ERR_CODE_BAD_RECORD, "row %zu", i);
		ck_assert_msg(strstr(e.msg, rows[i].word) != NULL, "row %zu: %s", i, e.msg);
		ck_assert(memcmp(&whole, &before, sizeof whole) == 0);
	}
	arena_free(arena);
}
END_TEST

START_TEST(a_nul_byte_ends_nothing)
{
	static const char json[] = "{\"text\":\"t\",\"part\":{\"name\":\"n\"}}\0{}";
	struct arena *arena = arena_new(1 << 16);
	struct whole whole;
	struct str all = { json, sizeof json - 1 }, first = { json, strlen(json) };

	ck_assert_int_eq(codec_read(&whole_type, first, arena, &whole).kind, ERR_OK);
	ck_assert_int_eq(codec_read(&whole_type, all, arena, &whole).kind, ERR_REJECT);
	arena_free(arena);
}
END_TEST

static struct err read_nested(struct arena *arena, size_t depth, char open, char close)
{
	struct buf json = BUF(1 << 20);
	struct whole whole;

	buf_addf(&json, "{\"text\":\"t\",\"part\":{\"name\":\"n\"},\"newer\":");
	for (size_t i = 0; i < depth; i++)
		buf_addf(&json, open == '{' ? "{\"a\":" : "[");
	buf_addf(&json, "1");
	for (size_t i = 0; i < depth; i++)
		buf_add(&json, &close, 1);
	buf_addf(&json, "}");
	struct err e = codec_read(&whole_type, buf_str(&json), arena, &whole);
	buf_done(&json);
	return e;
}

/* 16 levels with the outermost; brackets inside of texts are none. */
START_TEST(limits_the_depth)
{
	struct arena *arena = arena_new(1 << 16);
	struct whole whole;

	ck_assert_int_eq(read_nested(arena, 15, '[', ']').kind, ERR_OK);
	ck_assert_int_eq(read_nested(arena, 15, '{', '}').kind, ERR_OK);
	ck_assert_int_eq(read_nested(arena, 16, '[', ']').kind, ERR_REJECT);
	ck_assert_int_eq(read_nested(arena, 16, '{', '}').kind, ERR_REJECT);
	ck_assert_int_eq(read_nested(arena, 100000, '[', ']').kind, ERR_REJECT);
	ck_assert_int_eq(
		read_whole(WITH("\"newer\":\"[[[[[[[[[[[[[[[[[[[[\\\"[[[\\\\\""), arena, &whole)
			.kind,
		ERR_OK);
	arena_free(arena);
}
END_TEST

START_TEST(keeps_to_its_memory)
{
	struct arena *arena = arena_new(64);
	struct whole whole;
	struct err e = read_whole(FULL, arena, &whole);

	ck_assert(e.kind == ERR_REJECT && e.code == ERR_CODE_RECORD_TOO_LARGE);
	arena_free(arena);
}
END_TEST

static struct err write_one(void (*spoil)(struct whole *whole), size_t max_bytes)
{
	struct buf out = BUF(max_bytes);
	struct part parts[3] = { { "a", 1 }, { "b", 2 }, { "c", 3 } };
	struct whole whole;

	codec_clear(&whole_type, &whole);
	whole.text = "t";
	whole.part.name = "n";
	whole.parts = (struct codec_list){ parts, 2 };
	spoil(&whole);
	struct err e = codec_write(&whole_type, &whole, CODEC_TO_TOPIC, &out);
	buf_done(&out);
	return e;
}

static void spoil_nothing(struct whole *whole)
{
	whole->text = "t";
}

static void spoil_absent(struct whole *whole)
{
	whole->text = NULL;
}

static void spoil_absent_below(struct whole *whole)
{
	whole->part.name = NULL;
}

static void spoil_absent_in_list(struct whole *whole)
{
	((struct part *)whole->parts.items)[1].name = NULL;
}

static void spoil_long(struct whole *whole)
{
	whole->text = "sixsix";
}

static void spoil_long_list(struct whole *whole)
{
	whole->parts.count = 3;
}

static void spoil_encoding(struct whole *whole)
{
	whole->text = "\xe7";
}

START_TEST(writes_nothing_that_is_wrong)
{
	static void (*const spoilers[])(struct whole *) = { spoil_absent, spoil_absent_below,
		spoil_absent_in_list, spoil_long, spoil_long_list, spoil_encoding };

	ck_assert_int_eq(write_one(spoil_nothing, 4096).kind, ERR_OK);
	for (size_t i = 0; i < COUNT(spoilers); i++) {
		struct err e = write_one(spoilers[i], 4096);
		ck_assert_msg(e.kind == ERR_FATAL && e.code == ERR_CODE_INTERNAL, "row %zu", i);
	}
	for (size_t max_bytes = 0; max_bytes < 60; max_bytes++) {
		struct err e = write_one(spoil_nothing, max_bytes);
		ck_assert(e.kind == ERR_REJECT && e.code == ERR_CODE_RECORD_TOO_LARGE);
	}
}
END_TEST

struct secret {
	const char *text;
};

/* Every class into every sink, against a table of its own (design: events and topics). */
START_TEST(a_class_goes_only_where_it_may)
{
	static const char *const allowed[] = { [CODEC_TO_TOPIC] = "p",
		[CODEC_TO_JOBS] = "pc",
		[CODEC_TO_CLIENT] = "pi",
		[CODEC_TO_SEALED] = "picx" };
	static const struct {
		enum codec_class class;
		char letter;
	} classes[] = { { CODEC_PLAIN, 'p' }, { CODEC_PERSONAL, 'i' }, { CODEC_CAPABILITY, 'c' },
		{ CODEC_CONTENT, 'x' } };
	const struct secret present = { "s" }, absent = { NULL };

	for (size_t c = 0; c < COUNT(classes); c++) {
		const struct codec_field fields[] = { CODEC_FIELD(struct secret, text, CODEC_TEXT,
							      classes[c].class, false, 0),
			CODEC_END };
		const struct codec_type type = { "secret", sizeof present, fields };
		for (int sink = 0; sink < (int)COUNT(allowed); sink++) {
			struct buf out = BUF(100);
			struct err e = codec_write(&type, &present, (enum codec_sink)sink, &out);
			bool may = strchr(allowed[sink], classes[c].letter) != NULL;
			ck_assert_int_eq(e.kind, may ? ERR_OK : ERR_FATAL);
			ck_assert(may || strstr(out.ptr, "\"s\"") == NULL);
			buf_clear(&out);
			e = codec_write(&type, &absent, (enum codec_sink)sink, &out);
			ck_assert_int_eq(e.kind, ERR_OK);
			ck_assert_str_eq(out.ptr, "{}");
			buf_done(&out);
		}
	}
}
END_TEST

START_TEST(quotes)
{
	static const struct {
		struct str text;
		const char *json;
	} rows[] = {
		{ { "", 0 }, "\"\"" },
		{ { "a\"b\\c/", 6 }, "\"a\\\"b\\\\c/\"" },
		{ { "\n\t\r\b\x1f\x7f", 6 }, "\"\\n\\u0009\\u000d\\u0008\\u001f\\u007f\"" },
		{ { "\0", 1 }, "\"\\u0000\"" },
		{ { "a\xc3\xa7\xf0\x9f\x98\x80", 7 }, "\"a\xc3\xa7\xf0\x9f\x98\x80\"" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct buf out = BUF(100);
		codec_quote(rows[i].text, &out);
		ck_assert_str_eq(out.ptr, rows[i].json);
		buf_done(&out);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("codec");
	TCase *tcase = tcase_create("codec");

	tcase_add_test(tcase, comes_back_as_it_was);
	tcase_add_test(tcase, a_zero_has_no_sign);
	tcase_add_test(tcase, reads_what_a_newer_writer_sends);
	tcase_add_test(tcase, reads_exactly);
	tcase_add_test(tcase, refuses);
	tcase_add_test(tcase, a_nul_byte_ends_nothing);
	tcase_add_test(tcase, limits_the_depth);
	tcase_add_test(tcase, keeps_to_its_memory);
	tcase_add_test(tcase, writes_nothing_that_is_wrong);
	tcase_add_test(tcase, a_class_goes_only_where_it_may);
	tcase_add_test(tcase, quotes);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
