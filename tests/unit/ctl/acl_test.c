#include "acl.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "store_partner.h"

static const struct topic_space space = { "x.", 12, 60 };

static const struct store_partner people[] = {
	{ .slug = "acme", .state = "active" },
	{ .slug = "zeta", .state = "revoked" },
};
static const struct codec_list partners = { (void *)(uintptr_t)people, 2 };

static struct arena *arena;
static struct acl_wanted wanted;

static void set_up(void)
{
	arena = arena_new(1 << 20);
	wanted = (struct acl_wanted){ .space = &space, .partners = &partners };
	ck_assert_int_eq(acl_declare(&wanted, arena).kind, ERR_OK);
}

static void tear_down(void)
{
	arena_free(arena);
}

static const struct acl_row *state_of(const struct kafka_acl_list *found, size_t i)
{
	struct codec_list rows;

	ck_assert_int_eq(acl_compare(&wanted, found, arena, &rows).kind, ERR_OK);
	return i < rows.count ? (const struct acl_row *)rows.items + i : NULL;
}

START_TEST(what_is_declared_exists_or_is_missing)
{
	const struct kafka_acl_list none = { NULL, 0 };

	ck_assert_uint_gt(wanted.declared.count, 40);
	ck_assert_uint_le(wanted.declared.count, ACL_SERVICES_MAX);
	for (size_t i = 0; i < wanted.declared.count; i++) {
		ck_assert_str_eq(state_of(&none, i)->state, "missing");
		ck_assert_str_eq(state_of(&wanted.declared, i)->state, "exists");
	}
	ck_assert_ptr_null(state_of(&wanted.declared, wanted.declared.count));
}
END_TEST

START_TEST(a_revoked_partner_may_nothing)
{
	bool acme = false;

	for (size_t i = 0; i < wanted.declared.count; i++) {
		ck_assert_str_ne(wanted.declared.items[i].principal, "User:partner-zeta");
		acme = acme || strcmp(wanted.declared.items[i].principal, "User:partner-acme") == 0;
	}
	ck_assert(acme);
}
END_TEST

#define OF(principal, resource, pattern, name, operation)                                          \
	{                                                                                          \
		"User:" principal, resource, pattern, name, operation, "ALLOW", "*"                \
	}

/* What somebody has beside the declared, and what is said of it; NULL: nothing. */
static const struct {
	struct kafka_acl acl;
	const char *state;
} beside[] = {
	{ OF("x-audit", "TOPIC", "LITERAL", "x.ocr.jobs", "READ"), "extra" },
	{ OF("x-audit", "TOPIC", "LITERAL", "elsewhere", "READ"), "extra" },
	{ OF("x-audit", "TOPIC", "PREFIXED", "x.audit.trail", "READ"), "extra" },
	{ OF("partner-zeta", "TOPIC", "LITERAL", "x.partner.zeta.in", "WRITE"), "extra" },
	{ OF("somebody", "TOPIC", "LITERAL", "x.ocr.jobs", "READ"), "foreign" },
	{ OF("somebody", "TOPIC", "LITERAL", "*", "READ"), "foreign" },
	{ OF("somebody", "TOPIC", "PREFIXED", "x", "READ"), "foreign" },
	{ OF("somebody", "BROKER", "LITERAL", "kafka-cluster", "ALTER"), "foreign" },
	{ OF("x-auditor", "GROUP", "LITERAL", "x.audit", "READ"), "foreign" },
	{ OF("partner-nobody", "GROUP", "PREFIXED", "partner.acme.", "READ"), "foreign" },
	{ OF("somebody", "TOPIC", "LITERAL", "elsewhere", "READ"), NULL },
	{ OF("somebody", "TOPIC", "LITERAL", "x", "READ"), NULL },
};

START_TEST(what_is_beside_it_is_ours_or_others)
{
	struct kafka_acl acl = beside[_i].acl;
	const struct kafka_acl_list found = { &acl, 1 };
	const struct acl_row *row = state_of(&found, wanted.declared.count);

	if (beside[_i].state == NULL) {
		ck_assert_ptr_null(row);
		return;
	}
	ck_assert_ptr_nonnull(row);
	ck_assert_str_eq(row->state, beside[_i].state);
	ck_assert(kafka_admin_acl_equal(&row->acl, &acl));
}
END_TEST

START_TEST(a_denial_is_not_what_was_declared)
{
	struct kafka_acl acl = wanted.declared.items[0];
	const struct kafka_acl_list found = { &acl, 1 };

	acl.permission = "DENY";
	ck_assert_str_eq(state_of(&found, 0)->state, "missing");
	ck_assert_str_eq(state_of(&found, wanted.declared.count)->state, "extra");
}
END_TEST

START_TEST(principals_carry_the_prefix)
{
	static const struct {
		const char *prefix, *principal;
	} rows[] = { { "esteira.", "User:esteira-ocr" }, { "a.b.", "User:a.b-ocr" },
		{ "stage", "User:stage-ocr" }, { "", "User:ocr" } };

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct topic_space named = { rows[i].prefix, 12, 60 };
		ck_assert_str_eq(acl_principal(&named, "ocr", arena), rows[i].principal);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("acl");
	TCase *tcase = tcase_create("acl");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, what_is_declared_exists_or_is_missing);
	tcase_add_test(tcase, a_revoked_partner_may_nothing);
	tcase_add_loop_test(tcase, what_is_beside_it_is_ours_or_others, 0,
		(int)(sizeof beside / sizeof *beside));
	tcase_add_test(tcase, a_denial_is_not_what_was_declared);
	tcase_add_test(tcase, principals_carry_the_prefix);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
