/* Files that become TLS: which are taken, and what happens when they change. */
#include "port/tls.h"

#include <check.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "tls_rig.h"

static struct tls_rig rig;

static void open_rig(void)
{
	rig_open(&rig);
}

static void close_rig(void)
{
	rig_close(&rig);
}

/* Stamps differ by nanoseconds, but a file system counts in ticks. */
static void copy(const char *from, const char *to)
{
	char text[8192];
	char other[RIG_PATH_BYTES + 8];
	FILE *in = fopen(from, "r");
	size_t len = fread(text, 1, sizeof text, in);

	fclose(in);
	snprintf(other, sizeof other, "%s.new", to);
	FILE *out = fopen(other, "w");
	ck_assert_uint_eq(fwrite(text, 1, len, out), len);
	fclose(out);
	ck_assert_int_eq(rename(other, to), 0); /* another inode */
}

static void put(const char *path, const char *text)
{
	unlink(path);
	FILE *out = fopen(path, "w");

	fputs(text, out);
	fclose(out);
}

START_TEST(a_file_says_when_its_certificate_ends)
{
	int64_t ends_s = tls_file_expires_s(rig_path(&rig, "client", "pem"));
	int64_t expected_s = time(NULL) + 10 * RIG_DAY_S;

	ck_assert_int_le(ends_s, expected_s);
	ck_assert_int_gt(ends_s, expected_s - 300);
	ck_assert_int_lt(tls_file_expires_s(rig_path(&rig, "expired", "pem")), time(NULL));
	ck_assert_int_eq(tls_file_expires_s(rig_path(&rig, "client", "key")), 0);
	ck_assert_int_eq(tls_file_expires_s("/nowhere.pem"), 0);
	ck_assert_uint_eq(ERR_peek_error(), 0);
}
END_TEST

START_TEST(refuses_what_cannot_be)
{
	const char *cert = "/nowhere.pem", *key = "/nowhere.key";
	char server[2][RIG_PATH_BYTES], other[RIG_PATH_BYTES], ca[RIG_PATH_BYTES];
	struct tls *tls = NULL;

	snprintf(server[0], RIG_PATH_BYTES, "%s", rig_path(&rig, "server", "pem"));
	snprintf(server[1], RIG_PATH_BYTES, "%s", rig_path(&rig, "server", "key"));
	snprintf(other, RIG_PATH_BYTES, "%s", rig_path(&rig, "other", "key"));
	snprintf(ca, RIG_PATH_BYTES, "%s", rig_path(&rig, "ca", "pem"));
	const struct {
		struct tls_conf conf;
		const char *why; /* NULL: taken */
	} rows[] = {
		{ { TLS_SERVER, server[0], server[1] }, NULL },
		{ { TLS_SERVER, server[0], server[1], ca, "http/1.1", true }, NULL },
		{ { TLS_CLIENT }, NULL },
		{ { TLS_CLIENT, "", "", "" }, NULL },
		{ { TLS_CLIENT, server[0], server[1], ca }, NULL },
		{ { TLS_SERVER }, "a TLS server needs a certificate" },
		{ { TLS_SERVER, NULL, NULL, ca }, "a TLS server needs a certificate" },
		{ { TLS_SERVER, server[0], NULL },
			"TLS needs a certificate and its key, not one of them" },
		{ { TLS_CLIENT, "", server[1] },
			"TLS needs a certificate and its key, not one of them" },
		{ { TLS_SERVER, cert, server[1] }, "the TLS certificate cannot be read" },
		{ { TLS_SERVER, server[1], server[1] }, "the TLS certificate cannot be read" },
		{ { TLS_SERVER, server[0], key },
			"the TLS key cannot be read or is not the certificate's" },
		{ { TLS_SERVER, server[0], other },
			"the TLS key cannot be read or is not the certificate's" },
		{ { TLS_SERVER, server[0], server[1], server[1] },
			"the TLS authorities of clients cannot be read" },
		{ { TLS_CLIENT, NULL, NULL, key }, "the TLS authorities cannot be read" },
		{ { TLS_SERVER, server[0], server[1], NULL,
			  "a name that is longer than 31 bytes is none" },
			"the TLS protocol's name is too long" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct err e = tls_open(&rows[i].conf, &tls);
		ck_assert_str_eq(e.msg, rows[i].why == NULL ? "" : rows[i].why);
		ck_assert(rows[i].why == NULL ||
			  (e.kind == ERR_FATAL && e.code == ERR_CODE_BAD_CONFIG));
		if (e.kind == ERR_OK)
			tls_close(tls);
	}
}
END_TEST

/* Nobody is asked for a password, and nothing hangs. */
START_TEST(an_encrypted_key_is_refused)
{
	struct tls_conf conf = { TLS_SERVER };
	char cert[RIG_PATH_BYTES], path[RIG_PATH_BYTES];
	struct tls *tls = NULL;
	EVP_PKEY *key = EVP_EC_gen("P-256");

	snprintf(cert, sizeof cert, "%s", rig_path(&rig, "server", "pem"));
	snprintf(path, sizeof path, "%s", rig_path(&rig, "locked", "key"));
	FILE *file = fopen(path, "w");
	char password[] = "password";
	ck_assert_int_eq(PEM_write_PrivateKey(file, key, EVP_aes_256_cbc(),
				 (unsigned char *)password, 8, NULL, NULL),
		1);
	fclose(file);
	conf.cert_file = cert;
	conf.key_file = path;
	ck_assert_int_eq(tls_open(&conf, &tls).kind, ERR_FATAL);
	EVP_PKEY_free(key);
}
END_TEST

START_TEST(a_renewed_pair_is_taken)
{
	struct tls_leaf next = { "next", "DNS:localhost", -RIG_DAY_S, 20 * RIG_DAY_S, NULL };
	struct err why;

	rig_issue(&rig, &next);
	copy(rig_path(&rig, "server", "pem"), rig_path(&rig, "used", "pem"));
	copy(rig_path(&rig, "server", "key"), rig_path(&rig, "used", "key"));
	struct tls *tls = rig_server(&rig, "used", NULL, false);
	int64_t first = tls_expires_s(tls);
	ck_assert_int_gt(first, time(NULL) + 9 * RIG_DAY_S);
	ck_assert_int_eq(tls_refresh(tls, &why), TLS_SAME);
	ck_assert_int_eq(why.kind, ERR_OK);

	/* half of the pair is not one: told once, and the old one stays */
	copy(rig_path(&rig, "next", "pem"), rig_path(&rig, "used", "pem"));
	ck_assert_int_eq(tls_refresh(tls, &why), TLS_STALE);
	ck_assert_int_eq(why.kind, ERR_FATAL);
	ck_assert_int_eq(tls_refresh(tls, &why), TLS_SAME);
	ck_assert_int_eq(why.kind, ERR_FATAL);
	ck_assert_int_eq(tls_expires_s(tls), first);

	copy(rig_path(&rig, "next", "key"), rig_path(&rig, "used", "key"));
	ck_assert_int_eq(tls_refresh(tls, &why), TLS_RENEWED);
	ck_assert_int_eq(why.kind, ERR_OK);
	ck_assert_int_gt(tls_expires_s(tls), first + 9 * RIG_DAY_S);
	ck_assert_int_eq(tls_refresh(tls, &why), TLS_SAME);
	tls_close(tls);
}
END_TEST

START_TEST(what_is_no_pair_is_not_taken)
{
	struct err why;

	copy(rig_path(&rig, "server", "pem"), rig_path(&rig, "kept", "pem"));
	copy(rig_path(&rig, "server", "key"), rig_path(&rig, "kept", "key"));
	struct tls *tls = rig_server(&rig, "kept", "ca", false);
	int64_t expires_s = tls_expires_s(tls);

	unlink(rig_path(&rig, "kept", "key"));
	ck_assert_int_eq(tls_refresh(tls, &why), TLS_STALE);
	put(rig_path(&rig, "kept", "key"), "");
	ck_assert_int_eq(tls_refresh(tls, &why), TLS_STALE);
	put(rig_path(&rig, "kept", "pem"), "-----BEGIN CERTIFICATE-----\nnone\n");
	ck_assert_int_eq(tls_refresh(tls, &why), TLS_STALE);
	copy(rig_path(&rig, "expired", "pem"), rig_path(&rig, "kept", "pem"));
	copy(rig_path(&rig, "expired", "key"), rig_path(&rig, "kept", "key"));
	ck_assert_int_eq(tls_refresh(tls, &why), TLS_STALE);
	ck_assert_str_eq(why.msg, "the new TLS certificate has expired already");
	ck_assert_int_eq(tls_expires_s(tls), expires_s);
	/* the old ones again: nothing is wrong any more */
	copy(rig_path(&rig, "server", "pem"), rig_path(&rig, "kept", "pem"));
	copy(rig_path(&rig, "server", "key"), rig_path(&rig, "kept", "key"));
	ck_assert_int_eq(tls_refresh(tls, &why), TLS_RENEWED);
	tls_close(tls);
}
END_TEST

START_TEST(a_client_says_whom_it_expects)
{
	struct tls *tls = rig_client(&rig, NULL, "ca");
	char long_name[300];

	memset(long_name, 'a', sizeof long_name);
	long_name[sizeof long_name - 1] = '\0';
	ck_assert_ptr_null(tls_session(tls, NULL));
	ck_assert_ptr_null(tls_session(tls, ""));
	ck_assert_ptr_null(tls_session(tls, long_name));
	SSL *ssl = tls_session(tls, "localhost");
	ck_assert_ptr_nonnull(ssl);
	ck_assert_str_eq(SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name), "localhost");
	SSL_free(ssl);
	ssl = tls_session(tls, "127.0.0.1"); /* RFC 6066: an address is not announced */
	ck_assert_ptr_nonnull(ssl);
	ck_assert_ptr_null(SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));
	SSL_free(ssl);
	tls_close(tls);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tls");
	TCase *tc = tcase_create("tls");

	tcase_add_unchecked_fixture(tc, open_rig, close_rig);
	tcase_add_test(tc, a_file_says_when_its_certificate_ends);
	tcase_add_test(tc, refuses_what_cannot_be);
	tcase_add_test(tc, an_encrypted_key_is_refused);
	tcase_add_test(tc, a_renewed_pair_is_taken);
	tcase_add_test(tc, what_is_no_pair_is_not_taken);
	tcase_add_test(tc, a_client_says_whom_it_expects);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
