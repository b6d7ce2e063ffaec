#include "partner.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *slug;
	bool good;
} slugs[] = {
	{ "acme", true },
	{ "erp-1", true },
	{ "selfish", true },
	{ "self", false },
	{ "a", false },
	{ "-a", false },
	{ "Acme", false },
	{ "a.b", false },
	{ "a_b", false },
	{ "", false },
};

START_TEST(self_is_no_partner)
{
	for (size_t i = 0; i < sizeof slugs / sizeof *slugs; i++)
		ck_assert_msg(partner_is_slug(slugs[i].slug) == slugs[i].good, "%s", slugs[i].slug);
}
END_TEST

static const struct {
	const char *text;
	bool name, cluster;
} words[] = {
	{ "main", true, true },
	{ "kafka-1", true, true },
	{ "A\xc3\xa7o & cia", true, false },
	{ "\xc2\xa0", true, false },
	{ "", false, false },
	{ "a\nb", false, false },
	{ "a\tb", false, false },
	{ "\x1b[2J", false, false },
	{ "a\x7f", false, false },
	{ "a\xc2\x9b", false, false },
	{ "\xff", false, false },
	{ "main\n  labels:", false, false },
	{ "a: b", true, false },
	{ "-a", true, false },
	{ "a-", true, false },
	{ "A", true, false },
};

START_TEST(what_would_break_a_table_or_a_manifest_is_refused)
{
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		ck_assert_msg(
			partner_is_name(str_of(words[i].text)) == words[i].name, "name %zu", i);
		ck_assert_msg(
			partner_is_cluster(words[i].text) == words[i].cluster, "cluster %zu", i);
	}
}
END_TEST

/* A prefix that another partner's begins with would let one into the other's groups. */
START_TEST(no_groups_of_a_partner_are_anothers)
{
	ck_assert(partner_is_slug("acme") && partner_is_slug("acme-2"));
	ck_assert(!partner_is_slug("acme.2"));
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	partner_print_acls("x.", "acme-2", out);
	fclose(out);
	ck_assert_ptr_nonnull(strstr(text, "--group partner.acme-2.\n"));
	ck_assert_ptr_null(strstr(text, "--group partner.acme."));
	free(text);
}
END_TEST

static char *printed(bool user)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (user)
		partner_print_user("x.", "acme", "kafka-1", out);
	else
		partner_print_acls("x.", "acme", out);
	fclose(out);
	return text;
}

START_TEST(acls_are_what_a_partner_needs_and_no_more)
{
	char *text = printed(false);

#define ADD "kafka-acls --bootstrap-server \"$BROKERS\" --add --allow-principal User:partner-acme "
	ck_assert_str_eq(text,
		ADD "--operation Write --operation Describe --topic x.partner.acme.in\n" ADD
		    "--operation Read --operation Describe --topic x.partner.acme.dlq\n" ADD
		    "--operation Read --resource-pattern-type prefixed --group partner.acme.\n");
	free(text);
}
END_TEST

START_TEST(the_manifest_says_the_same)
{
	char *text = printed(true);

	ck_assert_str_eq(text, "apiVersion: kafka.strimzi.io/v1\n"
			       "kind: KafkaUser\n"
			       "metadata:\n"
			       "  name: partner-acme\n"
			       "  labels:\n"
			       "    strimzi.io/cluster: \"kafka-1\"\n"
			       "spec:\n"
			       "  authentication:\n"
			       "    type: scram-sha-512\n"
			       "  authorization:\n"
			       "    type: simple\n"
			       "    acls:\n"
			       "      - resource:\n"
			       "          type: topic\n"
			       "          name: x.partner.acme.in\n"
			       "          patternType: literal\n"
			       "        operations: [Write, Describe]\n"
			       "      - resource:\n"
			       "          type: topic\n"
			       "          name: x.partner.acme.dlq\n"
			       "          patternType: literal\n"
			       "        operations: [Read, Describe]\n"
			       "      - resource:\n"
			       "          type: group\n"
			       "          name: partner.acme.\n"
			       "          patternType: prefix\n"
			       "        operations: [Read]\n");
	free(text);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("partner");
	TCase *tcase = tcase_create("partner");

	tcase_add_test(tcase, self_is_no_partner);
	tcase_add_test(tcase, what_would_break_a_table_or_a_manifest_is_refused);
	tcase_add_test(tcase, no_groups_of_a_partner_are_anothers);
	tcase_add_test(tcase, acls_are_what_a_partner_needs_and_no_more);
	tcase_add_test(tcase, the_manifest_says_the_same);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
