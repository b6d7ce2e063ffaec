/* A throwaway authority and what it issues, as files of a folder that goes with the test. */
#ifndef ESTEIRA_TEST_PORT_TLS_RIG_H
#define ESTEIRA_TEST_PORT_TLS_RIG_H

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "port/tls.h"

enum { RIG_PATH_BYTES = 128, RIG_DAY_S = 86400 };

struct tls_rig {
	char folder[64];
	EVP_PKEY *key; /* the authority's */
	X509 *authority;
};

/* What a certificate says. */
struct tls_leaf {
	const char *file;  /* "server": server.pem and server.key */
	const char *names; /* "DNS:localhost,IP:127.0.0.1"; NULL: an authority */
	long from_s, to_s; /* from now */
	const char *usage; /* "serverAuth", "clientAuth"; NULL: any */
};

/* path of a file of the rig, valid until the fourth call from now */
static const char *rig_path(const struct tls_rig *rig, const char *name, const char *suffix)
{
	static char paths[4][RIG_PATH_BYTES];
	static unsigned at;
	char *path = paths[at++ % 4];

	snprintf(path, RIG_PATH_BYTES, "%s/%s.%s", rig->folder, name, suffix);
	return path;
}

static void rig_extend(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	ck_assert_ptr_nonnull(extension);
	ck_assert_int_eq(X509_add_ext(cert, extension, -1), 1);
	X509_EXTENSION_free(extension);
}

static void rig_write(const struct tls_rig *rig, const char *name, X509 *cert, EVP_PKEY *key)
{
	FILE *file = fopen(rig_path(rig, name, "pem"), "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(PEM_write_X509(file, cert), 1);
	fclose(file);
	file = fopen(rig_path(rig, name, "key"), "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(file);
}

/* Signs leaf by the rig's authority, or by itself when there is none yet. */
static void rig_issue(struct tls_rig *rig, const struct tls_leaf *leaf)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	static long serial;

	ck_assert(key != NULL && cert != NULL);
	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(cert), leaf->from_s);
	X509_gmtime_adj(X509_getm_notAfter(cert), leaf->to_s);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
		(const unsigned char *)leaf->file, -1, -1, 0);
	X509_set_issuer_name(
		cert, X509_get_subject_name(rig->authority == NULL ? cert : rig->authority));
	X509_set_pubkey(cert, key);
	rig_extend(cert, NID_basic_constraints,
		leaf->names == NULL ? "critical,CA:TRUE" : "critical,CA:FALSE");
	if (leaf->names != NULL)
		rig_extend(cert, NID_subject_alt_name, leaf->names);
	if (leaf->usage != NULL)
		rig_extend(cert, NID_ext_key_usage, leaf->usage);
	ck_assert_int_gt(X509_sign(cert, rig->key == NULL ? key : rig->key, EVP_sha256()), 0);
	rig_write(rig, leaf->file, cert, key);
	if (rig->authority == NULL) {
		rig->authority = cert;
		rig->key = key;
		return;
	}
	X509_free(cert);
	EVP_PKEY_free(key);
}

/* An authority "ca", "server" for localhost, "client", and what is wrong with others. */
static void rig_open(struct tls_rig *rig)
{
	static const struct tls_leaf leaves[] = {
		{ "ca", NULL, -RIG_DAY_S, 30 * RIG_DAY_S, NULL },
		{ "server", "DNS:localhost,IP:127.0.0.1", -RIG_DAY_S, 10 * RIG_DAY_S,
			"serverAuth" },
		{ "other", "DNS:other.example,DNS:*.wild.example", -RIG_DAY_S, 10 * RIG_DAY_S,
			"serverAuth" },
		{ "expired", "DNS:localhost", -10 * RIG_DAY_S, -RIG_DAY_S, "serverAuth" },
		{ "future", "DNS:localhost", RIG_DAY_S, 10 * RIG_DAY_S, "serverAuth" },
		{ "client", "DNS:partner", -RIG_DAY_S, 10 * RIG_DAY_S, "clientAuth" },
	};
	static const struct tls_leaf stranger[] = {
		{ "strange-ca", NULL, -RIG_DAY_S, 30 * RIG_DAY_S, NULL },
		{ "strange", "DNS:localhost", -RIG_DAY_S, 10 * RIG_DAY_S, NULL },
	};
	struct tls_rig away = { .key = NULL };

	*rig = (struct tls_rig){ .key = NULL };
	snprintf(rig->folder, sizeof rig->folder, "/tmp/tls-rig-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(rig->folder));
	memcpy(away.folder, rig->folder, sizeof away.folder);
	for (size_t i = 0; i < sizeof leaves / sizeof *leaves; i++)
		rig_issue(rig, leaves + i);
	for (size_t i = 0; i < sizeof stranger / sizeof *stranger; i++)
		rig_issue(&away, stranger + i);
	X509_free(away.authority);
	EVP_PKEY_free(away.key);
}

static void rig_close(struct tls_rig *rig)
{
	DIR *folder = opendir(rig->folder);
	const struct dirent *entry;

	while ((entry = readdir(folder)) != NULL) {
		char path[RIG_PATH_BYTES + 256];
		snprintf(path, sizeof path, "%s/%s", rig->folder, entry->d_name);
		unlink(path);
	}
	closedir(folder);
	rmdir(rig->folder);
	X509_free(rig->authority);
	EVP_PKEY_free(rig->key);
}

/* A server with that pair; ca NULL: clients need no certificate. */
static struct tls *rig_server(const struct tls_rig *rig, const char *pair, const char *ca, bool old)
{
	const struct tls_conf conf = { .role = TLS_SERVER,
		.cert_file = rig_path(rig, pair, "pem"),
		.key_file = rig_path(rig, pair, "key"),
		.ca_file = ca == NULL ? NULL : rig_path(rig, ca, "pem"),
		.alpn = "http/1.1",
		.from_1_2 = old,
		.handshake_ms = 300 };
	struct tls *tls = NULL;

	ck_assert_int_eq(tls_open(&conf, &tls).kind, ERR_OK);
	return tls;
}

/* A client that believes ca; pair NULL: without a certificate of its own. */
static struct tls *rig_client(const struct tls_rig *rig, const char *pair, const char *ca)
{
	const struct tls_conf conf = { .role = TLS_CLIENT,
		.cert_file = pair == NULL ? NULL : rig_path(rig, pair, "pem"),
		.key_file = pair == NULL ? NULL : rig_path(rig, pair, "key"),
		.ca_file = rig_path(rig, ca, "pem"),
		.handshake_ms = 300 };
	struct tls *tls = NULL;

	ck_assert_int_eq(tls_open(&conf, &tls).kind, ERR_OK);
	return tls;
}

#endif
