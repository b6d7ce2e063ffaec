/*
 * The files are known by their stamps (inode, size, time of change): taken before they are read, so
 * that a change in between is seen at the next look. What was read is one SSL_CTX; sessions hold on
 * to theirs, so a renewal touches none that is under way.
 */
#include "port/tls.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

enum { HANDSHAKE_MS = 10000, SECURITY_LEVEL = 2, CHAIN_MAX = 5, ALPN_MAX = 32 };

enum file { FILE_CERT, FILE_KEY, FILE_CA, FILES };

struct stamp {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec changed;
};

struct tls {
	SSL_CTX *context;
	enum tls_role role;
	char *paths[FILES]; /* NULL: not given */
	struct stamp stamps[FILES];
	unsigned char alpn[ALPN_MAX]; /* length, then the name; of length 0: none */
	bool from_1_2;
	uint64_t handshake_ms;
	struct err stale; /* of the files as they are now */
	_Atomic int64_t expires_s;
	_Atomic uint64_t counts[TLS_EVENTS];
};

/* --- one SSL_CTX --- */

static struct err bad(const char *msg)
{
	ERR_clear_error();
	return err_fatal(ERR_CODE_BAD_CONFIG, msg);
}

static void free_context(SSL_CTX **context)
{
	SSL_CTX_free(*context);
}

/* A key that is encrypted would ask somebody at a terminal. */
static int no_password(char *text, int size, int writing, void *arg)
{
	(void)text;
	(void)size;
	(void)writing;
	(void)arg;
	return 0;
}

static int choose_protocol(SSL *ssl, const unsigned char **ret_name, unsigned char *ret_len,
	const unsigned char *offered, unsigned offered_len, void *arg)
{
	const struct tls *tls = arg;
	unsigned char *name = NULL;

	(void)ssl;
	if (SSL_select_next_proto(&name, ret_len, tls->alpn, tls->alpn[0] + 1U, offered,
		    offered_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*ret_name = name;
	return SSL_TLSEXT_ERR_OK;
}

static bool set_protocol(const struct tls *tls, SSL_CTX *context)
{
	int least = tls->from_1_2 ? TLS1_2_VERSION : TLS1_3_VERSION;

	SSL_CTX_set_security_level(context, SECURITY_LEVEL);
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
					     SSL_OP_NO_COMPRESSION |
					     SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_default_passwd_cb(context, no_password);
	SSL_CTX_set_verify_depth(context, CHAIN_MAX);
	return SSL_CTX_set_num_tickets(context, 0) == 1 &&
	       SSL_CTX_set_min_proto_version(context, least) == 1 &&
	       SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1 &&
	       SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384") == 1;
}

static struct err load_pair(const struct tls *tls, SSL_CTX *context)
{
	if (tls->paths[FILE_CERT] == NULL)
		return err_ok();
	if (SSL_CTX_use_certificate_chain_file(context, tls->paths[FILE_CERT]) != 1)
		return bad("the TLS certificate cannot be read");
	if (SSL_CTX_use_PrivateKey_file(context, tls->paths[FILE_KEY], SSL_FILETYPE_PEM) != 1)
		return bad("the TLS key cannot be read or is not the certificate's");
	if (SSL_CTX_check_private_key(context) != 1)
		return bad("the TLS key is not the certificate's");
	return err_ok();
}

static struct err load_server(const struct tls *tls, SSL_CTX *context)
{
	const char *ca = tls->paths[FILE_CA];

	if (tls->alpn[0] > 0)
		SSL_CTX_set_alpn_select_cb(
			context, choose_protocol, (void *)(uintptr_t)(const void *)tls);
	if (ca == NULL)
		return err_ok();
	STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(ca);
	if (names == NULL || SSL_CTX_load_verify_file(context, ca) != 1) {
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		return bad("the TLS authorities of clients cannot be read");
	}
	SSL_CTX_set_client_CA_list(context, names);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	return err_ok();
}

static struct err load_client(const struct tls *tls, SSL_CTX *context)
{
	const char *ca = tls->paths[FILE_CA];
	int loaded = ca != NULL ? SSL_CTX_load_verify_file(context, ca)
				: SSL_CTX_set_default_verify_paths(context);

	if (loaded != 1)
		return bad("the TLS authorities cannot be read");
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	return err_ok();
}

static struct err load(const struct tls *tls, SSL_CTX **ret_context)
{
	bool serves = tls->role == TLS_SERVER;
	SCOPED(free_context)
	SSL_CTX *context = SSL_CTX_new(serves ? TLS_server_method() : TLS_client_method());

	if (context == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for TLS");
	if (!set_protocol(tls, context))
		return bad("OpenSSL does not take what TLS is to be");
	TRY(load_pair(tls, context));
	TRY((serves ? load_server : load_client)(tls, context));
	*ret_context = context;
	context = NULL;
	return err_ok();
}

/* Seconds since 1970; 0 without a certificate. */
static int64_t end_of(const X509 *leaf)
{
	struct tm tm;

	if (leaf == NULL || ASN1_TIME_to_tm(X509_get0_notAfter(leaf), &tm) != 1)
		return 0;
	return (int64_t)timegm(&tm);
}

static int64_t expiry_of(const SSL_CTX *context)
{
	return end_of(SSL_CTX_get0_certificate(context));
}

int64_t tls_file_expires_s(const char *path)
{
	BIO *file = BIO_new_file(path, "r");
	X509 *leaf = file == NULL ? NULL : PEM_read_bio_X509(file, NULL, no_password, NULL);
	int64_t ends_s = end_of(leaf);

	X509_free(leaf);
	BIO_free(file);
	ERR_clear_error();
	return ends_s;
}

/* --- the files --- */

static bool same(const struct stamp *a, const struct stamp *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

/* A file that is not there has a stamp of zeros. True when one differs from the last look. */
static bool look(struct tls *tls)
{
	bool changed = false;

	for (size_t i = 0; i < FILES; i++) {
		struct stat found;
		struct stamp now = { 0 };

		if (tls->paths[i] == NULL)
			continue;
		if (stat(tls->paths[i], &found) == 0)
			now = (struct stamp){ found.st_dev, found.st_ino, found.st_size,
				found.st_mtim };
		changed = changed || !same(&now, &tls->stamps[i]);
		tls->stamps[i] = now;
	}
	return changed;
}

static void use(struct tls *tls, SSL_CTX *context)
{
	SSL_CTX_free(tls->context);
	tls->context = context;
	atomic_store(&tls->expires_s, expiry_of(context));
}

static struct err renew(struct tls *tls)
{
	SSL_CTX *context = NULL;

	TRY(load(tls, &context));
	int64_t expires_s = expiry_of(context);
	if (expires_s != 0 && expires_s <= time(NULL)) {
		SSL_CTX_free(context);
		return bad("the new TLS certificate has expired already");
	}
	use(tls, context);
	return err_ok();
}

enum tls_change tls_refresh(struct tls *tls, struct err *ret_why)
{
	bool changed = look(tls);
	bool was_stale = tls->stale.kind != ERR_OK;

	/* what is unusable is read again: it may have been looked at while it was written */
	if (changed || was_stale)
		tls->stale = renew(tls);
	*ret_why = tls->stale;
	if (tls->stale.kind != ERR_OK)
		return changed || !was_stale ? TLS_STALE : TLS_SAME;
	return changed || was_stale ? TLS_RENEWED : TLS_SAME;
}

/* --- opening --- */

static bool is_given(const char *text)
{
	return text != NULL && text[0] != '\0';
}

static bool copy_paths(struct tls *tls, const struct tls_conf *conf)
{
	const char *const given[FILES] = { conf->cert_file, conf->key_file, conf->ca_file };

	for (size_t i = 0; i < FILES; i++) {
		tls->paths[i] = is_given(given[i]) ? strdup(given[i]) : NULL;
		if (is_given(given[i]) && tls->paths[i] == NULL)
			return false;
	}
	return true;
}

static struct err check(const struct tls_conf *conf)
{
	bool cert = is_given(conf->cert_file), key = is_given(conf->key_file);

	if (cert != key)
		return bad("TLS needs a certificate and its key, not one of them");
	if (conf->role == TLS_SERVER && !cert)
		return bad("a TLS server needs a certificate");
	if (conf->alpn != NULL && strlen(conf->alpn) >= ALPN_MAX)
		return bad("the TLS protocol's name is too long");
	return err_ok();
}

struct err tls_open(const struct tls_conf *conf, struct tls **ret_tls)
{
	SSL_CTX *context = NULL;

	TRY(check(conf));
	struct tls *tls = calloc(1, sizeof *tls);
	if (tls == NULL || !copy_paths(tls, conf)) {
		tls_close(tls);
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for TLS");
	}
	tls->role = conf->role;
	tls->from_1_2 = conf->from_1_2;
	tls->handshake_ms = conf->handshake_ms == 0 ? HANDSHAKE_MS : conf->handshake_ms;
	if (conf->alpn != NULL) {
		tls->alpn[0] = (unsigned char)strlen(conf->alpn);
		memcpy(tls->alpn + 1, conf->alpn, tls->alpn[0]);
	}
	look(tls);
	struct err e = load(tls, &context);
	if (e.kind != ERR_OK) {
		tls_close(tls);
		return e;
	}
	use(tls, context);
	*ret_tls = tls;
	return err_ok();
}

void tls_close(struct tls *tls)
{
	if (tls == NULL)
		return;
	SSL_CTX_free(tls->context);
	for (size_t i = 0; i < FILES; i++)
		free(tls->paths[i]);
	free(tls);
}

int64_t tls_expires_s(const struct tls *tls)
{
	return atomic_load(&tls->expires_s);
}

void tls_count(struct tls *tls, enum tls_event event)
{
	atomic_fetch_add(&tls->counts[event], 1);
}

uint64_t tls_counted(const struct tls *tls, enum tls_event event)
{
	return atomic_load(&tls->counts[event]);
}

/* --- sessions --- */

/* An address is compared with the certificate's addresses and is no name to announce. */
static bool expect(SSL *ssl, const char *host)
{
	unsigned char address[sizeof(struct in6_addr)];
	bool literal =
		inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;

	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (literal)
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
	return host[0] != '\0' && SSL_set1_host(ssl, host) == 1 &&
	       SSL_set_tlsext_host_name(ssl, host) == 1;
}

struct ssl_st *tls_session(struct tls *tls, const char *host)
{
	SSL *ssl = SSL_new(tls->context);

	if (ssl == NULL)
		return NULL;
	if (tls->role == TLS_SERVER) {
		SSL_set_accept_state(ssl);
		return ssl;
	}
	if (host == NULL || !expect(ssl, host)) {
		SSL_free(ssl);
		return NULL;
	}
	SSL_set_connect_state(ssl);
	return ssl;
}

uint64_t tls_handshake_ms(const struct tls *tls)
{
	return tls->handshake_ms;
}
