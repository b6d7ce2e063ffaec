#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>

#include "port/kafka_security.h"

#define NOTHING "", "", "", "SCRAM-SHA-512", "", ""

/* What is set, and the setting that a refusal names; NULL = it is fine. */
static const struct {
	struct kafka_security security;
	const char *refused;
} sets[] = {
	{ { "plaintext", NOTHING }, NULL },
	{ { "plaintext", "ca", "", "", "SCRAM-SHA-512", "", "" }, "ESTEIRA_KAFKA_SECURITY" },
	{ { "plaintext", "", "cert", "key", "SCRAM-SHA-512", "", "" }, "ESTEIRA_KAFKA_SECURITY" },
	{ { "plaintext", "", "", "", "SCRAM-SHA-512", "u", "p" }, "ESTEIRA_KAFKA_SASL_USER" },
	{ { "ssl", NOTHING }, "ESTEIRA_KAFKA_CA_FILE" },
	{ { "ssl", "ca", "", "", "SCRAM-SHA-512", "", "" }, NULL },
	{ { "ssl", "ca", "cert", "key", "SCRAM-SHA-512", "", "" }, NULL },
	{ { "ssl", "ca", "cert", "", "SCRAM-SHA-512", "", "" }, "ESTEIRA_KAFKA_CERT_FILE" },
	{ { "ssl", "ca", "", "key", "SCRAM-SHA-512", "", "" }, "ESTEIRA_KAFKA_KEY_FILE" },
	{ { "ssl", "ca", "", "", "SCRAM-SHA-512", "u", "" }, "ESTEIRA_KAFKA_SASL_USER" },
	{ { "sasl_ssl", "", "", "", "SCRAM-SHA-512", "u", "p" }, "ESTEIRA_KAFKA_CA_FILE" },
	{ { "sasl_ssl", "ca", "", "", "SCRAM-SHA-512", "u", "p" }, NULL },
	{ { "sasl_ssl", "ca", "cert", "key", "SCRAM-SHA-512", "u", "p" }, NULL },
	{ { "sasl_ssl", "ca", "", "", "SCRAM-SHA-512", "u", "" }, "ESTEIRA_KAFKA_SASL_PASSWORD" },
	{ { "sasl_ssl", "ca", "", "", "SCRAM-SHA-512", "", "p" }, "ESTEIRA_KAFKA_SASL_USER" },
};

START_TEST(a_set_means_something_or_is_refused_by_name)
{
	struct err e = kafka_security_check(&sets[_i].security);

	if (sets[_i].refused == NULL) {
		ck_assert_int_eq(e.kind, ERR_OK);
		return;
	}
	ck_assert_int_eq(e.kind, ERR_FATAL);
	ck_assert(err_is(e, ERR_CODE_BAD_CONFIG));
	ck_assert_ptr_nonnull(strstr(e.msg, sets[_i].refused));
}
END_TEST

START_TEST(files_that_cannot_be_read_are_found_at_start)
{
	struct arena *arena SCOPED(arena_drop) = arena_new(64 * 1024);
	const struct kafka_security security = { "ssl", "/nonexistent/ca.pem", "", "",
		"SCRAM-SHA-512", "", "" };
	struct err e = kafka_security_try(&security, arena);

	ck_assert_int_eq(e.kind, ERR_FATAL);
	ck_assert(err_is(e, ERR_CODE_BAD_CONFIG));
	ck_assert_ptr_nonnull(strstr(e.msg, "ssl.ca.location"));
}
END_TEST

static void expect(const rd_kafka_conf_t *conf, const char *name, const char *wanted)
{
	char value[128];
	size_t size = sizeof value;

	ck_assert_int_eq(rd_kafka_conf_get(conf, name, value, &size), RD_KAFKA_CONF_OK);
	ck_assert_str_eq(value, wanted);
}

START_TEST(over_tls_the_brokers_name_is_verified)
{
	char why[128];
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	const struct kafka_security security = { "sasl_ssl", "/a", "", "", "SCRAM-SHA-512", "u",
		"p" };

	ck_assert(kafka_security_apply(&security, conf, why));
	expect(conf, "security.protocol", "sasl_ssl");
	expect(conf, "ssl.endpoint.identification.algorithm", "https");
	expect(conf, "enable.ssl.certificate.verification", "true");
	expect(conf, "sasl.mechanism", "SCRAM-SHA-512");
	expect(conf, "sasl.username", "u");
	rd_kafka_conf_destroy(conf);
}
END_TEST

START_TEST(no_security_is_plaintext)
{
	char why[128];
	rd_kafka_conf_t *conf = rd_kafka_conf_new();

	ck_assert(kafka_security_apply(NULL, conf, why));
	expect(conf, "security.protocol", "plaintext");
	rd_kafka_conf_destroy(conf);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("kafka_security");
	TCase *tcase = tcase_create("kafka_security");

	tcase_add_loop_test(tcase, a_set_means_something_or_is_refused_by_name, 0,
		(int)(sizeof sets / sizeof *sets));
	tcase_add_test(tcase, files_that_cannot_be_read_are_found_at_start);
	tcase_add_test(tcase, over_tls_the_brokers_name_is_verified);
	tcase_add_test(tcase, no_security_is_plaintext);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
