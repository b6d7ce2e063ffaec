#include "base/sabotage.h"

#include <check.h>
#include <stdlib.h>

#ifdef ESTEIRA_SABOTAGE
enum { WORKS = 1 };
#else
enum { WORKS = 0 };
#endif

#define MINE  "018f4d3a-7b1c-7000-8000-0123456789ab"
#define YOURS "018f4d3a-7b1c-7000-8000-0123456789ac"

static const struct {
	const char *list;
	int is;
} cases[] = {
	{ "", 0 },
	{ "here", 1 },
	{ "her", 0 },
	{ "heres", 0 },
	{ "there,here", 1 },
	{ "here,there", 1 },
	{ "there", 0 },
};

START_TEST(is_what_is_in_the_list)
{
	setenv("ESTEIRA_SABOTAGE", cases[_i].list, 1);
	ck_assert_int_eq(sabotage_is("here"), cases[_i].is && WORKS);
	unsetenv("ESTEIRA_SABOTAGE");
	ck_assert(!sabotage_is("here"));
}
END_TEST

static bool swaps(const char *ids)
{
	struct id id, mine, yours;

	ck_assert(id_parse(STR(MINE), &mine) && id_parse(STR(YOURS), &yours));
	setenv("ESTEIRA_SABOTAGE_IDS", ids, 1);
	id = mine;
	sabotage_swap("there", &id);
	ck_assert(id_eq(id, mine));
	sabotage_swap("here", &id);
	ck_assert(id_eq(id, mine) || id_eq(id, yours));
	return id_eq(id, yours);
}

START_TEST(swaps_the_ids_it_is_told)
{
	setenv("ESTEIRA_SABOTAGE", "here", 1);
	ck_assert_int_eq(swaps(MINE "=" YOURS), WORKS);
	ck_assert_int_eq(swaps(YOURS "=" YOURS "," MINE "=" YOURS "," MINE "=" MINE), WORKS);
	ck_assert(!swaps(YOURS "=" MINE));
	ck_assert(!swaps("x=" YOURS));
	ck_assert(!swaps(MINE));
	ck_assert(!swaps(""));
}
END_TEST

START_TEST(says_another_text)
{
	setenv("ESTEIRA_SABOTAGE", "here", 1);
	unsetenv("ESTEIRA_SABOTAGE_TEXT");
	ck_assert_str_eq(sabotage_text("here", "own"), "own");
	setenv("ESTEIRA_SABOTAGE_TEXT", "other", 1);
	ck_assert_str_eq(sabotage_text("here", "own"), WORKS ? "other" : "own");
	ck_assert_str_eq(sabotage_text("there", "own"), "own");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sabotage");
	TCase *tcase = tcase_create("sabotage");

	tcase_add_loop_test(tcase, is_what_is_in_the_list, 0, sizeof cases / sizeof *cases);
	tcase_add_test(tcase, swaps_the_ids_it_is_told);
	tcase_add_test(tcase, says_another_text);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
