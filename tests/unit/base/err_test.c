#include "base/err.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

START_TEST(rows_are_sound)
{
	for (int i = 0; i < ERR_CODE_COUNT; i++) {
		const enum err_code code = (enum err_code)i;
		const char *name = err_code_name(code);
		int status = err_code_status(code);

		ck_assert_ptr_nonnull(name);
		ck_assert_uint_eq(strspn(name, "abcdefghijklmnopqrstuvwxyz-_"), strlen(name));
		ck_assert_uint_gt(strlen(err_code_title(code)), 0);
		ck_assert(status == 0 || (status >= 400 && status < 600));
		for (int k = 0; k < i; k++)
			ck_assert_str_ne(name, err_code_name((enum err_code)k));
		if (err_code_class(code) == ERR_CLASS_CLIENT)
			ck_assert(status >= 400 && status < 500);
		if (err_code_class(code) == ERR_CLASS_DEPENDENCY)
			ck_assert_int_eq(status, 503);
		ck_assert((err_code_class(code) == ERR_CLASS_NONE) == (code == ERR_CODE_NONE));
	}
}
END_TEST

START_TEST(names)
{
	ck_assert_str_eq(err_kind_name(ERR_OK), "ok");
	ck_assert_str_eq(err_kind_name(ERR_FATAL), "fatal");
	ck_assert_str_eq(err_class_name(ERR_CLASS_NONE), "none");
	ck_assert_str_eq(err_class_name(ERR_CLASS_DEPENDENCY), "dependency");
	ck_assert_str_eq(err_class_name(ERR_CLASS_BUG), "bug");
	ck_assert_str_eq(err_code_name(ERR_CODE_NOT_A_PDF), "not-a-pdf");
	ck_assert_int_eq(err_code_status(ERR_CODE_NOT_A_PDF), 415);
}
END_TEST

static struct err pass_on(struct err inner, bool *ret_reached)
{
	TRY(inner);
	*ret_reached = true;
	return err_ok();
}

START_TEST(known_names)
{
	ck_assert(err_code_is_known("not-a-pdf") && err_code_is_known("internal"));
	ck_assert(err_class_is_known("client") && err_class_is_known("bug"));
	static const char *const none[] = { "", "none", "Client", "not-a-pd", "not-a-pdf " };
	for (size_t i = 0; i < sizeof none / sizeof *none; i++)
		ck_assert(!err_code_is_known(none[i]) && !err_class_is_known(none[i]));
}
END_TEST

START_TEST(tries)
{
	const struct err failures[] = { err_retry(ERR_CODE_TIMEOUT, "a"),
		err_reject(ERR_CODE_NOT_FOUND, "b"), err_fatal(ERR_CODE_INTERNAL, "c") };
	static const enum err_kind kinds[] = { ERR_RETRY, ERR_REJECT, ERR_FATAL };
	bool reached = false;

	for (int i = 0; i < 3; i++) {
		struct err e = pass_on(failures[i], &reached);
		ck_assert(!reached && e.kind == kinds[i] && err_is(e, failures[i].code));
		ck_assert_str_eq(e.msg, failures[i].msg);
		ck_assert(!err_is(e, ERR_CODE_BROKEN));
	}
	ck_assert(pass_on(err_ok(), &reached).kind == ERR_OK && reached);
	ck_assert(!err_is(err_ok(), ERR_CODE_NONE));
	ck_assert_str_eq(err_ok().msg, "");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("err");
	TCase *tcase = tcase_create("err");

	tcase_add_test(tcase, rows_are_sound);
	tcase_add_test(tcase, names);
	tcase_add_test(tcase, known_names);
	tcase_add_test(tcase, tries);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
