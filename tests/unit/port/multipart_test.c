#include "port/multipart.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

struct seen {
	struct buf file;
	struct buf fields; /* name=value; */
	bool refuse;
};

static struct err on_file(void *arg, struct str bytes)
{
	struct seen *seen = arg;

	ck_assert_uint_gt(bytes.len, 0);
	buf_add_str(&seen->file, bytes);
	return seen->refuse ? err_reject(ERR_CODE_NOT_A_PDF, "x") : err_ok();
}

static struct err on_field(void *arg, struct str name, struct str value)
{
	struct seen *seen = arg;

	buf_addf(&seen->fields, "%.*s=%.*s;", (int)name.len, name.ptr, (int)value.len, value.ptr);
	return err_ok();
}

static const struct multipart_events events = { on_file, on_field };
static const struct multipart_events file_only = { on_file, NULL };

/* Feeds body in pieces of step bytes, the first one of first bytes. */
static struct err parse(const char *body, size_t len, size_t first, size_t step, struct seen *seen)
{
	struct multipart *multipart = NULL;
	struct err e =
		multipart_new(STR("multipart/form-data; boundary=B-"), &events, seen, &multipart);

	seen->file = seen->fields = BUF(65536);
	ck_assert_int_eq(e.kind, ERR_OK);
	for (size_t at = 0, piece = first; at < len && e.kind == ERR_OK;
		at += piece, piece = step) {
		piece = piece > len - at ? len - at : piece;
		char *copy = malloc(piece + 1); /* exactly as long, so that a sanitizer sees more */
		memcpy(copy, body + at, piece);
		e = multipart_feed(multipart, (struct str){ copy, piece });
		free(copy);
	}
	if (e.kind == ERR_OK)
		e = multipart_end(multipart);
	if (e.kind != ERR_OK)
		ck_assert_int_eq(multipart_end(multipart).code, e.code);
	else
		ck_assert_uint_eq(multipart_file_bytes(multipart), seen->file.len);
	multipart_free(multipart);
	return e;
}

#define D	"Content-Disposition: form-data; name="
#define FILE_	D "\"file\"; filename=\"a.pdf\"\r\nContent-Type: application/pdf\r\n\r\n"
#define BEGIN	"--B-\r\n"
#define NEXT	"\r\n--B-\r\n"
#define END	"\r\n--B---\r\n"
#define REST	BEGIN FILE_ "x" END
#define P(name) D #name "\r\n\r\n1\r\n--B-\r\n"

static const struct {
	const char *body;
	const char *file; /* NULL: bad-multipart */
	const char *fields;
} cases[] = {
	{ BEGIN FILE_ "%PDF-1.7" END, "%PDF-1.7", "" },
	{ BEGIN FILE_ "x\r\n--B---", "x", "" },
	{ BEGIN FILE_ END, "", "" },
	{ BEGIN FILE_ "\r\n" END, "\r\n", "" },
	{ BEGIN FILE_ "\r\r\n-\r\n--B\r\n--\r\n--b-\r\n\r\n" END,
		"\r\r\n-\r\n--B\r\n--\r\n--b-\r\n\r\n", "" },
	{ BEGIN FILE_ "a\r\r\n--B---", "a\r", "" },
	{ BEGIN FILE_ "--B-\r\nx" END, "--B-\r\nx", "" },
	{ BEGIN D "a\r\n\r\nb" NEXT FILE_ "x" NEXT D "\"c d\"\r\n\r\n" END, "x", "a=b;c d=;" },
	{ BEGIN "content-disposition:FORM-DATA ;NAME=file;x=\"\\\"\"\r\n\r\nx" END, "x", "" },
	{ BEGIN D "\"file\"\r\nContent-Transfer-Encoding: binary\r\n\r\nx" END, "x", "" },
	{ BEGIN D "\"fi\\le\"\r\n\r\nx" END, "x", "" },
	{ BEGIN P(a) P(b) P(c) P(d) P(e) P(f) P(g) P(h) P(i) P(j) P(k) P(l) P(m) P(n) P(o) FILE_
		"x" END,
		"x", "a=1;b=1;c=1;d=1;e=1;f=1;g=1;h=1;i=1;j=1;k=1;l=1;m=1;n=1;o=1;" },
	{ BEGIN P(a) P(b) P(c) P(d) P(e) P(f) P(g) P(h) P(i) P(j) P(k) P(l) P(m) P(n) P(o) P(p)
			FILE_ "x" END,
		NULL, "" },
	{ "", NULL, "" },
	{ "x", NULL, "" },
	{ "\r\n" REST, NULL, "" },
	{ "--B---\r\n", NULL, "" },
	{ "--C-\r\n" FILE_ "x" END, NULL, "" },
	{ BEGIN FILE_ "x", NULL, "" },
	{ BEGIN FILE_ "x\r\n--B-", NULL, "" },
	{ BEGIN FILE_ "x\r\n--B--", NULL, "" },
	{ BEGIN FILE_ "x\r\n--B-\r\n", NULL, "" },
	{ BEGIN FILE_ "x\r\n--B-x\r\n", NULL, "" },
	{ BEGIN FILE_ "x\r\n--B- \r\n", NULL, "" },
	{ BEGIN FILE_ "x\r\n--B---\r", NULL, "" },
	{ BEGIN FILE_ "x" END "more", NULL, "" },
	{ BEGIN FILE_ "x" END "\r\n", NULL, "" },
	{ BEGIN FILE_ "x" NEXT FILE_ "y" END, NULL, "" },
	{ BEGIN D "a\r\n\r\nb" END, NULL, "" },
	{ BEGIN "\r\nx" END, NULL, "" },
	{ BEGIN "Content-Type: a/b\r\n\r\nx" END, NULL, "" },
	{ BEGIN D "\"file\"\r\n" D "\"file\"\r\n\r\nx" END, NULL, "" },
	{ BEGIN D "\"file\"; name=\"b\"\r\n\r\nx" END, NULL, "" },
	{ BEGIN D "\"\"\r\n\r\nx" END, NULL, "" },
	{ BEGIN D "\"file\r\n\r\nx" END, NULL, "" },
	{ BEGIN D "\"file\\\r\n\r\nx" END, NULL, "" },
	{ BEGIN D "fi le\r\n\r\nx" END, NULL, "" },
	{ BEGIN "Content-Disposition: attachment; name=file\r\n\r\nx" END, NULL, "" },
	{ BEGIN "Content-Disposition: form-data\r\n\r\nx" END, NULL, "" },
	{ BEGIN "Content-Disposition : form-data; name=file\r\n\r\nx" END, NULL, "" },
	{ BEGIN D "file\n\r\n\r\nx" END, NULL, "" },
	{ BEGIN D "file\r\nX: a\r\n b\r\n\r\nx" END, NULL, "" },
	{ BEGIN D "file\rX: a\r\n\r\nx" END, NULL, "" },
	{ BEGIN D "file\r\nno colon\r\n\r\nx" END, NULL, "" },
	{ BEGIN D "file\r\nContent-Transfer-Encoding: base64\r\n\r\neA==" END, NULL, "" },
};

static void check_case(int i, size_t first, size_t step)
{
	struct seen seen = { 0 };
	size_t len = strlen(cases[i].body);
	struct err e = parse(cases[i].body, len, first, step, &seen);

	if (cases[i].file == NULL) {
		ck_assert_msg(err_is(e, ERR_CODE_BAD_MULTIPART), "%zu: %s", first, cases[i].body);
	} else {
		ck_assert_msg(e.kind == ERR_OK, "%zu: %s: %s", first, e.msg, cases[i].body);
		ck_assert_msg(
			str_eq(buf_str(&seen.file), str_of(cases[i].file)), "%s", cases[i].body);
		ck_assert_msg(str_eq(buf_str(&seen.fields), str_of(cases[i].fields)), "%s",
			cases[i].body);
	}
	buf_done(&seen.file);
	buf_done(&seen.fields);
}

START_TEST(parses_however_it_is_cut)
{
	size_t len = strlen(cases[_i].body);

	check_case(_i, len, len);
	for (size_t step = 1; step < 8; step++)
		check_case(_i, step, step);
	for (size_t first = 1; first < len; first++)
		check_case(_i, first, len);
}
END_TEST

START_TEST(takes_binary)
{
	struct buf body = BUF(1 << 20);
	struct seen seen = { 0 };
	char noise[4096];

	for (size_t i = 0; i < sizeof noise; i++)
		noise[i] = (char)(i * 7 ^ i >> 3);
	buf_add_str(&body, STR(BEGIN FILE_));
	buf_add(&body, noise, sizeof noise);
	buf_add_str(&body, STR(END));
	for (size_t step = 1; step < 500; step += 7) {
		ck_assert_int_eq(parse(body.ptr, body.len, step, step, &seen).kind, ERR_OK);
		ck_assert(str_eq(buf_str(&seen.file), (struct str){ noise, sizeof noise }));
		buf_done(&seen.file);
		buf_done(&seen.fields);
	}
	buf_done(&body);
}
END_TEST

START_TEST(bounds_headers_and_fields)
{
	static const struct {
		int header, field;
		bool ok;
	} rows[] = { { 8000, 10, true }, { 8200, 10, false }, { 10, 4096, true },
		{ 10, 4097, false } };

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf body = BUF(1 << 20);
		struct seen seen = { 0 };
		buf_addf(&body, BEGIN "X: %0*d\r\n" D "a\r\n\r\n%0*d" NEXT FILE_ "x" END,
			rows[i].header, 0, rows[i].field, 0);
		struct err e = parse(body.ptr, body.len, 1000, 1000, &seen);
		ck_assert_msg(
			(e.kind == ERR_OK) == rows[i].ok, "%d %d", rows[i].header, rows[i].field);
		buf_done(&body);
		buf_done(&seen.file);
		buf_done(&seen.fields);
	}
}
END_TEST

START_TEST(returns_failures_of_callbacks)
{
	struct seen seen = { .file = BUF(100), .refuse = true };
	struct multipart *multipart = NULL;

	ck_assert_int_eq(
		multipart_new(STR("multipart/form-data;boundary=B-"), &file_only, &seen, &multipart)
			.kind,
		ERR_OK);
	ck_assert(err_is(multipart_feed(multipart, STR(BEGIN D "a\r\n\r\nb" NEXT FILE_ "x")),
		ERR_CODE_NOT_A_PDF));
	ck_assert(err_is(multipart_feed(multipart, STR("y")), ERR_CODE_NOT_A_PDF));
	ck_assert(err_is(multipart_end(multipart), ERR_CODE_NOT_A_PDF));
	multipart_free(multipart);
	buf_done(&seen.file);
	multipart_free(NULL);
}
END_TEST

START_TEST(reads_the_boundary)
{
	static const struct {
		const char *type;
		bool is, ok;
	} rows[] = {
		{ "multipart/form-data; boundary=abc", true, true },
		{ "Multipart/Form-Data ;charset=x; BOUNDARY=\"a b\"", true, true },
		{ "multipart/form-data; boundary=\"a:b\"", true, true },
		{ "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW", true,
			true },
		{ "multipart/form-data", true, false },
		{ "multipart/form-data;", true, false },
		{ "multipart/form-data; boundary", true, false },
		{ "multipart/form-data; boundary=", true, false },
		{ "multipart/form-data; boundary=\"\"", true, false },
		{ "multipart/form-data; boundary=\"a", true, false },
		{ "multipart/form-data; boundary=\"a \"", true, false },
		{ "multipart/form-data; boundary=a; boundary=b", true, false },
		{ "multipart/form-data; boundary=a b", true, false },
		{ "multipart/form-data; boundary=a@b", true, false },
		{ "multipart/form-data; boundary=\"a@b\"", true, false },
		{ "multipart/form-data; boundary="
		  "01234567890123456789012345678901234567890123456789012345678901234567890",
			true, false },
		{ "multipart/mixed; boundary=abc", false, false },
		{ "application/pdf", false, false },
		{ "", false, false },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct multipart *multipart = NULL;
		struct err e = multipart_new(str_of(rows[i].type), &events, NULL, &multipart);
		ck_assert_msg(multipart_is(str_of(rows[i].type)) == rows[i].is, "%s", rows[i].type);
		ck_assert_msg((e.kind == ERR_OK) == rows[i].ok, "%s", rows[i].type);
		ck_assert(rows[i].ok || e.code == ERR_CODE_BAD_MULTIPART);
		multipart_free(multipart);
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("multipart");
	TCase *tc = tcase_create("multipart");

	tcase_add_loop_test(tc, parses_however_it_is_cut, 0, sizeof cases / sizeof *cases);
	tcase_add_test(tc, takes_binary);
	tcase_add_test(tc, bounds_headers_and_fields);
	tcase_add_test(tc, returns_failures_of_callbacks);
	tcase_add_test(tc, reads_the_boundary);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(suite());

	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
