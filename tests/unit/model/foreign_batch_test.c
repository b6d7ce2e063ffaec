/* The body of a request: one event or many, each with an outcome of its own. */
#include "model/foreign.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array)  (sizeof(array) / sizeof *(array))
#define LEAST_JSON    "{\"specversion\":\"1.0\",\"type\":\"least\",\"data\":{}}"
#define CUSTOMER_JSON "{\"event_type\": \"customer\", \"payload\": {\"a\": \"],[\"}}"

static void expect_refusal(size_t row, struct err e, enum err_code code, const char *word)
{
	ck_assert_msg(e.kind == ERR_REJECT && e.code == code, "row %zu: %d %s", row, e.kind, e.msg);
	ck_assert_msg(strstr(e.msg, word) != NULL, "row %zu: %s", row, e.msg);
}

/* Everything that can be wrong inside of an item is that item's own. */
START_TEST(one_bad_item_spoils_no_other)
{
	static const char body[] =
		" [" LEAST_JSON ",\n" CUSTOMER_JSON ", {\"a\":1,\"a\":2}, {]\t, 7,\"\xe7\","
		"{\"a\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}, nul, " LEAST_JSON " ]\n";
	static const char *const types[] = { "least", "customer", NULL, NULL, NULL, NULL, NULL,
		NULL, "least" };
	struct arena *arena = arena_new(1 << 17);
	struct foreign_items items;

	ck_assert_int_eq(foreign_split(str_of(body), arena, &items).kind, ERR_OK);
	ck_assert_uint_eq(items.count, COUNT(types));
	for (size_t i = 0; i < items.count; i++) {
		struct foreign foreign;
		struct err e = foreign_read_json(items.items[i], arena, &foreign);
		if (types[i] == NULL) {
			expect_refusal(
				i, e, ERR_CODE_BAD_RECORD, i == 4 ? "not an object" : "JSON");
			continue;
		}
		ck_assert_msg(e.kind == ERR_OK, "item %zu: %s", i, e.msg);
		ck_assert_str_eq(foreign.type, types[i]);
	}
	arena_free(arena);
}
END_TEST

START_TEST(splits)
{
	static const struct {
		const char *body;
		size_t count;
	} rows[] = {
		{ LEAST_JSON, 1 },
		{ "\n" CUSTOMER_JSON, 1 },
		{ "", 1 }, /* which foreign_read_json refuses */
		{ "order", 1 },
		{ "[]", 0 },
		{ " [ ]\r\n", 0 },
		{ "[{}]", 1 },
		{ "[[],[]]", 2 },
		{ "[", SIZE_MAX },
		{ "[{},]", SIZE_MAX },
		{ "[{} {}]", SIZE_MAX },
		{ "[{}", SIZE_MAX },
		{ "[{\"a\":\"]", SIZE_MAX },
		{ "[{}]]", SIZE_MAX },
		{ "[{}]{}", SIZE_MAX },
	};
	struct arena *arena = arena_new(1 << 20);

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct foreign_items items = { NULL, SIZE_MAX };
		struct err e = foreign_split(str_of(rows[i].body), arena, &items);
		if (rows[i].count == SIZE_MAX)
			expect_refusal(i, e, ERR_CODE_BAD_REQUEST, "array");
		ck_assert_msg(items.count == rows[i].count, "row %zu: %zu", i, items.count);
	}
	arena_free(arena);
}
END_TEST

START_TEST(limits_the_batch)
{
	struct arena *arena = arena_new(1 << 17);

	for (size_t count = FOREIGN_ITEMS_MAX - 1; count <= FOREIGN_ITEMS_MAX + 1; count++) {
		struct buf body = BUF(1 << 20);
		struct foreign_items items = { NULL, 0 };
		for (size_t i = 0; i < count; i++)
			buf_addf(&body, "%c" LEAST_JSON, i == 0 ? '[' : ',');
		buf_addf(&body, "]");
		struct err e = foreign_split(buf_str(&body), arena, &items);
		if (count > FOREIGN_ITEMS_MAX)
			expect_refusal(count, e, ERR_CODE_BODY_TOO_LARGE, "1,000");
		else
			ck_assert(e.kind == ERR_OK && items.count == count &&
				  str_eq(items.items[count - 1], STR(LEAST_JSON)));
		buf_done(&body);
	}
	arena_free(arena);
}
END_TEST

START_TEST(keeps_to_its_memory)
{
	struct arena *arena = arena_new(64);
	struct foreign_items items = { NULL, 7 };

	expect_refusal(0, foreign_split(STR("[1]"), arena, &items), ERR_CODE_RECORD_TOO_LARGE, "");
	ck_assert_uint_eq(items.count, 7);
	arena_free(arena);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("foreign_batch");
	TCase *tcase = tcase_create("foreign_batch");

	tcase_add_test(tcase, one_bad_item_spoils_no_other);
	tcase_add_test(tcase, splits);
	tcase_add_test(tcase, limits_the_batch);
	tcase_add_test(tcase, keeps_to_its_memory);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
