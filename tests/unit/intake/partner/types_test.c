#include "partner/types.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define CHARGE(rest) "{\"charge_id\":\"c\",\"kind\":\"pix\"," rest "}"
#define REST	     "\"amount_cents\":100,\"due_date\":\"2026-12-31\""
#define PAYMENT(rest)                                                                              \
	"{\"payment_id\":\"p\",\"amount_cents\":5,\"paid_at\":\"2026-12-09T14:03:05.250Z\","       \
	"\"method\":\"pix\"" rest "}"

static const char charge[] = "partner.charge.requested.v1";
static const char payment[] = "partner.payment.received.v1";

/* Data and what becomes of it; expected NULL: refused, and the message has the word. */
static const struct {
	const char *type, *data, *expected, *word;
} rows[] = {
	{ charge, CHARGE(REST), CHARGE(REST), NULL },
	{ charge,
		" { \"extra\":{\"charge_id\":1},\"due_date\":\"2026-12-31\",\"kind\":\"pix\","
		"\"amount_cents\":100,\"charge_id\":\"c\",\"description\":null}\n",
		CHARGE(REST), NULL },
	{ charge, CHARGE(REST ",\"description\":\"\""), CHARGE(REST ",\"description\":\"\""),
		NULL },
	{ charge, "{\"charge_id\":\"\",\"kind\":\"pix\"," REST "}", NULL, "charge_id" },
	{ charge, "{\"charge_id\":\"c\",\"kind\":\"boleto pix\"," REST "}", NULL, "kind" },
	{ charge, "{\"charge_id\":\"c\",\"kind\":\"\"," REST "}", NULL, "kind" },
	{ charge, "{\"charge_id\":\"c\",\"kind\":\"PIX\"," REST "}", NULL, "kind" },
	{ charge, CHARGE("\"amount_cents\":0,\"due_date\":\"2026-12-31\""), NULL, "amount_cents" },
	{ charge, CHARGE("\"amount_cents\":-5,\"due_date\":\"2026-12-31\""), NULL, "amount_cents" },
	{ charge, CHARGE("\"amount_cents\":1e2,\"due_date\":\"2026-12-31\""), NULL,
		"amount_cents" },
	{ charge, CHARGE("\"amount_cents\":-9223372036854775808,\"due_date\":\"2026-12-31\""), NULL,
		"amount_cents" },
	{ charge, CHARGE("\"amount_cents\":1000000000000000,\"due_date\":\"2026-12-31\""), NULL,
		"amount_cents" },
	{ charge, CHARGE("\"amount_cents\":9,\"due_date\":\"2026-02-29\""), NULL, "due_date" },
	{ charge, CHARGE("\"amount_cents\":9,\"due_date\":\"2026-12-3\""), NULL, "due_date" },
	{ charge, CHARGE("\"amount_cents\":9"), NULL, "due_date: missing" },
	{ charge, CHARGE(REST ",\"kind\":\"pix\""), NULL, "a key twice" },
	{ charge, "{\"charge_id\":\"\xff\",\"kind\":\"pix\"," REST "}", NULL, "JSON" },
	{ payment, PAYMENT(""), PAYMENT(""), NULL },
	{ payment,
		"{\"method\":\"x\",\"payment_id\":\"p\",\"charge_id\":\"c\",\"amount_cents\":5,"
		"\"paid_at\":\"2026-12-09T11:03:05.25-03:00\"}",
		"{\"payment_id\":\"p\",\"charge_id\":\"c\",\"amount_cents\":5,"
		"\"paid_at\":\"2026-12-09T14:03:05.250Z\",\"method\":\"x\"}",
		NULL },
	{ payment, PAYMENT(",\"charge_id\":\"\""), NULL, "charge_id" },
	{ payment, PAYMENT(",\"end_to_end_id\":\"\""), NULL, "end_to_end_id" },
	{ payment,
		"{\"payment_id\":\"p\",\"amount_cents\":5,\"method\":\"pix\","
		"\"paid_at\":\"2026-12-09T14:03:05\"}",
		NULL, "paid_at" },
};

START_TEST(data_is_rewritten_or_refused)
{
	struct arena *arena = arena_new(1 << 20);

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct str json = STR("untouched");
		struct err e =
			types_rewrite(types_find(rows[i].type), str_of(rows[i].data), arena, &json);
		const char *expected = rows[i].expected == NULL ? "untouched" : rows[i].expected;
		ck_assert_msg(str_eq(json, str_of(expected)), "row %zu: %s %.*s", i, e.msg,
			(int)json.len, json.ptr);
		if (rows[i].expected != NULL)
			continue;
		ck_assert_int_eq(e.kind, ERR_REJECT);
		ck_assert_int_eq(e.code, ERR_CODE_BAD_RECORD);
		ck_assert_msg(strstr(e.msg, rows[i].word) != NULL, "row %zu: %s", i, e.msg);
	}
	arena_free(arena);
}
END_TEST

START_TEST(every_type_is_found_and_every_rule_has_its_field)
{
	const struct codec_type *const *all = types_all();
	size_t count = 0;

	for (; all[count] != NULL; count++) {
		const struct types_row *row = types_find(all[count]->name);
		ck_assert_ptr_nonnull(row);
		ck_assert_ptr_eq(row->codec, all[count]);
		for (const struct types_rule *rule = row->rules; rule->field != NULL; rule++) {
			const struct codec_field *field = row->codec->fields;
			while (field->name != NULL && strcmp(field->name, rule->field) != 0)
				field++;
			ck_assert_msg(field->name != NULL, "%s", rule->field);
			ck_assert_int_eq(
				field->kind, rule->kind == TYPES_RANGE ? CODEC_INT : CODEC_TEXT);
		}
	}
	ck_assert_uint_gt(count, 1);
	ck_assert_ptr_null(types_find("partner.charge.requested"));
	ck_assert_ptr_null(types_find(""));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("types");
	TCase *tcase = tcase_create("types");

	tcase_add_test(tcase, data_is_rewritten_or_refused);
	tcase_add_test(tcase, every_type_is_found_and_every_rule_has_its_field);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
