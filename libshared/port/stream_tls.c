/*
 * OpenSSL over a BIO that reads from the bytes just fed and writes into a buffer: nothing is copied
 * on the way in but what must wait, and what waits is bounded. OpenSSL's queue of errors belongs to
 * the thread, so it is emptied before each call and read right after.
 */
#include "port/stream_tls.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include "port/tls.h"

enum {
	OUT_MAX_BYTES = 64 * 1024 * 1024,
	WRITE_MAX_BYTES = 1 << 30,
	KEY_UPDATES_MAX = 32, /* without data in between: each costs us more than the peer */
};

struct stream_tls {
	SSL *ssl;
	BIO_METHOD *method;
	struct str fed;
	struct buf held; /* comes before fed */
	struct buf out;
	struct err failure;
	unsigned key_updates; /* since the last data */
	bool ready, used, shut;
};

/* --- the BIO --- */

static int bio_write(BIO *bio, const char *data, int len)
{
	struct stream_tls *tls = BIO_get_data(bio);

	buf_add(&tls->out, data, (size_t)len);
	return tls->out.overflow ? -1 : len;
}

static int bio_read(BIO *bio, char *data, int len)
{
	struct stream_tls *tls = BIO_get_data(bio);
	bool held = tls->held.len > 0;
	struct str from = held ? buf_str(&tls->held) : tls->fed;
	size_t taken = from.len < (size_t)len ? from.len : (size_t)len;

	BIO_clear_retry_flags(bio);
	if (taken == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	memcpy(data, from.ptr, taken);
	if (held)
		buf_skip(&tls->held, taken);
	else
		tls->fed = (struct str){ from.ptr + taken, from.len - taken };
	return (int)taken;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static bool open_bio(struct stream_tls *tls)
{
	tls->method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "esteira");
	if (tls->method == NULL)
		return false;
	BIO_meth_set_write(tls->method, bio_write);
	BIO_meth_set_read(tls->method, bio_read);
	BIO_meth_set_ctrl(tls->method, bio_ctrl);
	BIO *bio = BIO_new(tls->method);
	if (bio == NULL)
		return false;
	BIO_set_data(bio, tls);
	BIO_set_init(bio, 1);
	SSL_set_bio(tls->ssl, bio, bio);
	return true;
}

/* OpenSSL's callback: parameters are its own. */
static void on_message(
	int is_ours, int version, int type, const void *bytes, size_t len, SSL *ssl, void *arg)
{
	struct stream_tls *tls = arg;
	const uint8_t *message = bytes;

	(void)version;
	(void)ssl;
	if (is_ours == 0 && type == SSL3_RT_HANDSHAKE && len > 0 &&
		message[0] == SSL3_MT_KEY_UPDATE)
		tls->key_updates++;
}

/* --- the session --- */

struct stream_tls *stream_tls_new(struct tls *from, const char *host)
{
	struct stream_tls *tls = calloc(1, sizeof *tls);

	if (tls == NULL)
		return NULL;
	tls->held = BUF(STREAM_TLS_HELD_BYTES);
	tls->out = BUF(OUT_MAX_BYTES);
	tls->ssl = tls_session(from, host);
	if (tls->ssl == NULL || !open_bio(tls)) {
		stream_tls_free(tls);
		return NULL;
	}
	SSL_set_msg_callback(tls->ssl, on_message);
	SSL_set_msg_callback_arg(tls->ssl, tls);
	return tls;
}

void stream_tls_free(struct stream_tls *tls)
{
	if (tls == NULL)
		return;
	SSL_free(tls->ssl);
	BIO_meth_free(tls->method);
	buf_done(&tls->held);
	buf_done(&tls->out);
	free(tls);
}

void stream_tls_feed(struct stream_tls *tls, struct str bytes)
{
	tls->used = true;
	if (tls->held.len > 0)
		buf_add_str(&tls->held, bytes);
	else
		tls->fed = bytes;
}

bool stream_tls_keep(struct stream_tls *tls)
{
	buf_add_str(&tls->held, tls->fed);
	tls->fed = (struct str){ NULL, 0 };
	if (tls->held.len == 0)
		buf_done(&tls->held);
	return !tls->held.overflow;
}

bool stream_tls_has_input(const struct stream_tls *tls)
{
	return tls->held.len > 0 || SSL_has_pending(tls->ssl) == 1;
}

bool stream_tls_is_used(const struct stream_tls *tls)
{
	return tls->used;
}

static enum stream_tls_step fail(struct stream_tls *tls)
{
	long verified = SSL_get_verify_result(tls->ssl);
	const char *why = ERR_reason_error_string(ERR_peek_error());

	if (verified != X509_V_OK)
		why = X509_verify_cert_error_string(verified);
	tls->failure = err_retry(
		ERR_CODE_TLS_FAILED, why == NULL ? "the peer does not keep to the protocol" : why);
	ERR_clear_error();
	return STREAM_TLS_FAIL;
}

enum stream_tls_step stream_tls_step(
	struct stream_tls *tls, char *room, size_t room_bytes, struct str *ret_plain)
{
	bool was_ready = tls->ready;

	if (tls->failure.kind != ERR_OK)
		return STREAM_TLS_FAIL;
	ERR_clear_error();
	int got =
		was_ready ? SSL_read(tls->ssl, room, (int)room_bytes) : SSL_do_handshake(tls->ssl);
	if (tls->key_updates > KEY_UPDATES_MAX) {
		tls->failure = err_retry(ERR_CODE_TLS_FAILED, "too many key updates");
		return STREAM_TLS_FAIL;
	}
	if (got > 0) {
		tls->ready = true;
		tls->key_updates = 0;
		*ret_plain = (struct str){ room, was_ready ? (size_t)got : 0 };
		return was_ready ? STREAM_TLS_DATA : STREAM_TLS_READY;
	}
	switch (SSL_get_error(tls->ssl, got)) {
	case SSL_ERROR_WANT_READ:
		return STREAM_TLS_MORE;
	case SSL_ERROR_ZERO_RETURN:
		return STREAM_TLS_END;
	default:
		return fail(tls);
	}
}

bool stream_tls_write(struct stream_tls *tls, struct str bytes)
{
	while (bytes.len > 0) {
		size_t piece = bytes.len < WRITE_MAX_BYTES ? bytes.len : WRITE_MAX_BYTES;
		ERR_clear_error();
		int put = SSL_write(tls->ssl, bytes.ptr, (int)piece);
		if (put <= 0)
			return false;
		bytes = (struct str){ bytes.ptr + put, bytes.len - (size_t)put };
	}
	return true;
}

void stream_tls_shutdown(struct stream_tls *tls)
{
	if (tls->shut || !tls->ready || tls->failure.kind != ERR_OK)
		return;
	tls->shut = true;
	ERR_clear_error();
	/* an error leaves nothing to send; the peer takes that for a lost connection */
	(void)SSL_shutdown(tls->ssl);
}

char *stream_tls_take(struct stream_tls *tls, size_t *ret_size_bytes)
{
	*ret_size_bytes = tls->out.len;
	return tls->out.len == 0 ? NULL : buf_take(&tls->out);
}

struct err stream_tls_failure(const struct stream_tls *tls)
{
	return tls->failure;
}
