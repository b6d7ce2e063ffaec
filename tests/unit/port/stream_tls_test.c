/*
 * Two sessions in memory, ours on both sides or OpenSSL's own as a client of its own mind: what is
 * cut, garbled, truncated, too long, or not trusted.
 */
#include "port/stream_tls.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "port/tls.h"
#include "tls_rig.h"

enum { MUCH_BYTES = 300000, ROOM = 16 * 1024 };

struct end {
	struct stream_tls *tls;
	enum stream_tls_step last;
	bool ready, ended;
	struct buf plain;
};

static struct tls_rig rig;

static void open_rig(void)
{
	rig_open(&rig);
}

static void close_rig(void)
{
	rig_close(&rig);
}

static void begin(struct end *end, struct tls *tls, const char *host)
{
	*end = (struct end){ .tls = stream_tls_new(tls, host), .plain = BUF(1 << 20) };
	ck_assert_ptr_nonnull(end->tls);
}

static void finish(struct end *end)
{
	stream_tls_free(end->tls);
	buf_done(&end->plain);
}

/* Every step that can be taken. */
static void run(struct end *end)
{
	char room[ROOM];
	struct str plain;

	do {
		end->last = stream_tls_step(end->tls, room, sizeof room, &plain);
		if (end->last == STREAM_TLS_READY)
			end->ready = true;
		if (end->last == STREAM_TLS_DATA)
			buf_add_str(&end->plain, plain);
		if (end->last == STREAM_TLS_END)
			end->ended = true;
	} while (end->last == STREAM_TLS_READY || end->last == STREAM_TLS_DATA);
	ck_assert(stream_tls_keep(end->tls));
}

/* What from has to say, in pieces of that size. False when it had nothing. */
static bool carry(struct end *from, struct end *to, size_t piece)
{
	size_t size;
	char *wire = stream_tls_take(from->tls, &size);

	for (size_t at = 0; at < size; at += piece) {
		size_t len = size - at < piece ? size - at : piece;
		stream_tls_feed(to->tls, (struct str){ wire + at, len });
		run(to);
	}
	free(wire);
	return size > 0;
}

static void talk(struct end *client, struct end *server, size_t piece)
{
	bool more = true;

	run(client);
	while (more) {
		more = carry(client, server, piece);
		more = carry(server, client, piece) || more;
	}
}

static const size_t pieces[] = { 1, 2, 5, 1000, 1 << 20 };

START_TEST(any_cut_gives_the_same)
{
	struct tls *serving = rig_server(&rig, "server", NULL, false);
	struct tls *calling = rig_client(&rig, NULL, "ca");
	struct end client, server;
	char *much = malloc(MUCH_BYTES);

	for (size_t i = 0; i < MUCH_BYTES; i++)
		much[i] = (char)(i * 7 + i / 256);
	begin(&client, calling, "localhost");
	begin(&server, serving, NULL);
	talk(&client, &server, pieces[_i]);
	ck_assert(client.ready && server.ready);
	ck_assert(stream_tls_write(client.tls, STR("question")));
	ck_assert(stream_tls_write(server.tls, (struct str){ much, MUCH_BYTES }));
	talk(&client, &server, pieces[_i]);
	ck_assert(str_eq(buf_str(&server.plain), STR("question")));
	ck_assert_uint_eq(client.plain.len, MUCH_BYTES);
	ck_assert_mem_eq(client.plain.ptr, much, MUCH_BYTES);
	/* a farewell of one side leaves the other one's way open */
	stream_tls_shutdown(client.tls);
	talk(&client, &server, pieces[_i]);
	ck_assert(server.ended && !client.ended);
	ck_assert(stream_tls_write(server.tls, STR("last words")));
	stream_tls_shutdown(server.tls);
	talk(&client, &server, pieces[_i]);
	ck_assert(client.ended);
	ck_assert_uint_eq(client.plain.len, MUCH_BYTES + 10);
	finish(&client);
	finish(&server);
	tls_close(serving);
	tls_close(calling);
	free(much);
}
END_TEST

/* Whom a client believes, and whom it does not. */
static const struct {
	const char *pair, *host, *ca;
	const char *why; /* NULL: all is well */
} believed[] = {
	{ "server", "localhost", "ca", NULL },
	{ "server", "LocalHost", "ca", NULL },
	{ "server", "127.0.0.1", "ca", NULL },
	{ "server", "127.0.0.2", "ca", "IP address mismatch" },
	{ "server", "::1", "ca", "IP address mismatch" },
	{ "server", "localhost.example", "ca", "hostname mismatch" },
	{ "other", "localhost", "ca", "hostname mismatch" },
	{ "other", "a.wild.example", "ca", NULL },
	{ "other", "a.b.wild.example", "ca", "hostname mismatch" },
	{ "other", "wild.example", "ca", "hostname mismatch" },
	{ "expired", "localhost", "ca", "certificate has expired" },
	{ "future", "localhost", "ca", "certificate is not yet valid" },
	{ "server", "localhost", "strange-ca", "unable to get local issuer certificate" },
	{ "strange", "localhost", "ca", "unable to get local issuer certificate" },
	{ "client", "partner", "ca", "unsuitable certificate purpose" },
};

START_TEST(believes_only_whom_it_may)
{
	struct tls *serving = rig_server(&rig, believed[_i].pair, NULL, false);
	struct tls *calling = rig_client(&rig, NULL, believed[_i].ca);
	struct end client, server;

	begin(&client, calling, believed[_i].host);
	begin(&server, serving, NULL);
	talk(&client, &server, 1 << 20);
	ck_assert_int_eq(client.ready, believed[_i].why == NULL);
	if (believed[_i].why != NULL) {
		struct err why = stream_tls_failure(client.tls);
		ck_assert_int_eq(client.last, STREAM_TLS_FAIL);
		ck_assert(err_is(why, ERR_CODE_TLS_FAILED) && why.kind == ERR_RETRY);
		ck_assert_str_eq(why.msg, believed[_i].why);
		/* the server was told */
		ck_assert_int_eq(server.last, STREAM_TLS_FAIL);
	}
	finish(&client);
	finish(&server);
	tls_close(serving);
	tls_close(calling);
}
END_TEST

/* What a server asks of its clients. */
static const struct {
	const char *pair, *ca;
	const char *why;
} welcomed[] = {
	{ "client", "ca", NULL },
	{ NULL, "ca", "peer did not return a certificate" },
	{ "strange", "ca", "unable to get local issuer certificate" },
	{ "server", "ca", "unsuitable certificate purpose" },
	{ "client", NULL, NULL },
};

START_TEST(asks_clients_for_a_certificate)
{
	struct tls *serving = rig_server(&rig, "server", welcomed[_i].ca, false);
	struct tls *calling = rig_client(&rig, welcomed[_i].pair, "ca");
	struct end client, server;

	begin(&client, calling, "localhost");
	begin(&server, serving, NULL);
	talk(&client, &server, 1 << 20);
	ck_assert_int_eq(server.ready, welcomed[_i].why == NULL);
	if (welcomed[_i].why != NULL) {
		ck_assert_str_eq(stream_tls_failure(server.tls).msg, welcomed[_i].why);
		ck_assert_int_eq(client.last, STREAM_TLS_FAIL); /* told by an alert */
	}
	finish(&client);
	finish(&server);
	tls_close(serving);
	tls_close(calling);
}
END_TEST

/* --- a client that says what we would not --- */

struct raw {
	SSL_CTX *context;
	SSL *ssl;
	BIO *in, *out;
};

static void raw_open(struct raw *raw, int version, const char *ciphers)
{
	raw->context = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_security_level(raw->context, 0);
	ck_assert_int_eq(SSL_CTX_set_min_proto_version(raw->context, version), 1);
	ck_assert_int_eq(SSL_CTX_set_max_proto_version(raw->context, version), 1);
	if (ciphers != NULL)
		ck_assert_int_eq(SSL_CTX_set_cipher_list(raw->context, ciphers), 1);
	raw->ssl = SSL_new(raw->context);
	raw->in = BIO_new(BIO_s_mem());
	raw->out = BIO_new(BIO_s_mem());
	SSL_set_bio(raw->ssl, raw->in, raw->out);
	SSL_set_connect_state(raw->ssl);
}

static void raw_close(struct raw *raw)
{
	SSL_free(raw->ssl);
	SSL_CTX_free(raw->context);
	ERR_clear_error();
}

/* To the server and back, until neither has more. */
static void raw_talk(struct raw *raw, struct end *server)
{
	bool more = true;

	while (more) {
		char wire[8192];
		size_t size;
		SSL_do_handshake(raw->ssl);
		int len = BIO_read(raw->out, wire, sizeof wire);
		if (len > 0) {
			stream_tls_feed(server->tls, (struct str){ wire, (size_t)len });
			run(server);
		}
		char *answer = stream_tls_take(server->tls, &size);
		if (answer != NULL)
			BIO_write(raw->in, answer, (int)size);
		free(answer);
		more = len > 0 || answer != NULL;
	}
}

static const struct {
	int version;
	const char *ciphers;
	const unsigned char *alpn;
	bool old;
	bool ready;
} offers[] = {
	{ TLS1_3_VERSION, NULL, NULL, false, true },
	{ TLS1_3_VERSION, NULL, NULL, true, true },
	{ TLS1_2_VERSION, NULL, NULL, true, true },
	{ TLS1_2_VERSION, NULL, NULL, false, false },
	{ TLS1_1_VERSION, "ALL:@SECLEVEL=0", NULL, true, false },
	{ TLS1_2_VERSION, "ECDHE-ECDSA-AES256-GCM-SHA384", NULL, true, true },
	{ TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305", NULL, true, true },
	{ TLS1_2_VERSION, "ECDHE-ECDSA-AES256-SHA384", NULL, true, false }, /* CBC */
	{ TLS1_2_VERSION, "AES256-GCM-SHA384", NULL, true, false },	    /* no forward secrecy */
	{ TLS1_2_VERSION, "DHE-RSA-AES256-GCM-SHA384", NULL, true, false },
	{ TLS1_3_VERSION, NULL, (const unsigned char *)"\x02h2\x08http/1.1", false, true },
	{ TLS1_3_VERSION, NULL, (const unsigned char *)"\x02h2\x04smtp", false, false },
};

START_TEST(takes_only_what_is_offered_rightly)
{
	struct tls *serving = rig_server(&rig, "server", NULL, offers[_i].old);
	const char *alpn = (const char *)offers[_i].alpn;
	struct end server;
	struct raw raw;

	raw_open(&raw, offers[_i].version, offers[_i].ciphers);
	if (alpn != NULL)
		ck_assert_int_eq(
			SSL_set_alpn_protos(raw.ssl, offers[_i].alpn, (unsigned)strlen(alpn)), 0);
	begin(&server, serving, NULL);
	raw_talk(&raw, &server);
	ck_assert_int_eq(server.ready, offers[_i].ready);
	ck_assert_int_eq(server.last, offers[_i].ready ? STREAM_TLS_MORE : STREAM_TLS_FAIL);
	if (offers[_i].ready) {
		ck_assert_int_eq(SSL_version(raw.ssl), offers[_i].version);
		ck_assert_int_eq(SSL_session_reused(raw.ssl), 0);
		ck_assert(!SSL_SESSION_has_ticket(SSL_get0_session(raw.ssl)));
	}
	finish(&server);
	raw_close(&raw);
	tls_close(serving);
}
END_TEST

START_TEST(does_not_negotiate_again)
{
	struct tls *serving = rig_server(&rig, "server", NULL, true);
	struct end server;
	struct raw raw;

	raw_open(&raw, TLS1_2_VERSION, NULL);
	begin(&server, serving, NULL);
	raw_talk(&raw, &server);
	ck_assert(server.ready);
	ck_assert_int_eq(SSL_renegotiate(raw.ssl), 1);
	raw_talk(&raw, &server);
	/* refused by a warning that ends nothing; the client gives up by itself */
	ck_assert_int_eq(SSL_is_init_finished(raw.ssl), 0);
	ck_assert(server.last == STREAM_TLS_MORE || server.last == STREAM_TLS_FAIL);
	finish(&server);
	raw_close(&raw);
	tls_close(serving);
}
END_TEST

/* A wish to change the keys, and maybe a byte of data behind it, into the server. */
static void update_keys(struct raw *raw, struct end *server, bool with_data)
{
	char wire[4096];

	ck_assert_int_eq(SSL_key_update(raw->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
	ck_assert_int_eq(SSL_do_handshake(raw->ssl), 1);
	if (with_data)
		ck_assert_int_eq(SSL_write(raw->ssl, "x", 1), 1);
	int len = BIO_read(raw->out, wire, sizeof wire);
	ck_assert_int_gt(len, 0);
	stream_tls_feed(server->tls, (struct str){ wire, (size_t)len });
	run(server);
}

/* TLS 1.3 changes its keys under way, as often as it likes when there is data in between. */
START_TEST(keys_change_under_way)
{
	struct tls *serving = rig_server(&rig, "server", NULL, false);
	char plain[64];
	struct end server;
	struct raw raw;
	size_t size;

	raw_open(&raw, TLS1_3_VERSION, NULL);
	begin(&server, serving, NULL);
	raw_talk(&raw, &server);
	for (int i = 0; i < 100; i++) {
		update_keys(&raw, &server, true);
		ck_assert_int_eq(server.last, STREAM_TLS_MORE);
	}
	ck_assert_uint_eq(server.plain.len, 100);
	ck_assert(stream_tls_write(server.tls, STR("answer")));
	char *answer = stream_tls_take(server.tls, &size);
	BIO_write(raw.in, answer, (int)size);
	free(answer);
	ck_assert_int_eq(SSL_read(raw.ssl, plain, sizeof plain), 6);
	for (int i = 0; i < 32; i++)
		update_keys(&raw, &server, false);
	ck_assert_int_eq(server.last, STREAM_TLS_MORE);
	update_keys(&raw, &server, false); /* nobody needs that */
	ck_assert_int_eq(server.last, STREAM_TLS_FAIL);
	ck_assert_str_eq(stream_tls_failure(server.tls).msg, "too many key updates");
	finish(&server);
	raw_close(&raw);
	tls_close(serving);
}
END_TEST

/* --- bytes that are no TLS --- */

/* One message of any length, as the first thing a client says. */
static void add_hello(struct buf *out, uint8_t type, size_t record_bytes, size_t message_bytes)
{
	const uint8_t head[] = { type, 3, 1, (uint8_t)(record_bytes >> 8), (uint8_t)record_bytes, 1,
		(uint8_t)(message_bytes >> 16), (uint8_t)(message_bytes >> 8),
		(uint8_t)message_bytes };

	buf_add(out, head, sizeof head);
	while (out->len < 4 * (size_t)ROOM)
		buf_add_str(out, STR("\0"));
}

START_TEST(garbage_fails)
{
	struct tls *serving = rig_server(&rig, "server", NULL, true);
	SCOPED(buf_done) struct buf bytes = BUF(1 << 20);
	struct end server;

	if (_i == 0)
		buf_add_str(&bytes, STR("GET /v1/health HTTP/1.1\r\nHost: a\r\n\r\n"));
	else if (_i == 1) /* SSL 2, whole */
		buf_add_str(&bytes, STR("\x80\x1c\x01\x00\x02\x00\x03\x00\x00\x00\x10\x01\x00\x80"
					"0123456789abcdef"));
	else if (_i == 2)
		add_hello(&bytes, 22, 16 * 1024 + 1, 100); /* the record is too long */
	else if (_i == 3)
		add_hello(&bytes, 22, 16 * 1024, 0xffffff); /* the message is */
	else if (_i == 4)
		add_hello(&bytes, 22, 0, 0);
	else
		add_hello(&bytes, 23, 100, 100); /* data before the handshake */
	begin(&server, serving, NULL);
	for (size_t at = 0; at < bytes.len && server.last != STREAM_TLS_FAIL; at++) {
		stream_tls_feed(server.tls, (struct str){ bytes.ptr + at, 1 });
		run(&server);
	}
	ck_assert_int_eq(server.last, STREAM_TLS_FAIL);
	ck_assert(err_is(stream_tls_failure(server.tls), ERR_CODE_TLS_FAILED));
	run(&server); /* for good */
	ck_assert_int_eq(server.last, STREAM_TLS_FAIL);
	ck_assert(!server.ready);
	finish(&server);
	tls_close(serving);
}
END_TEST

/* One flipped bit anywhere in a record, and nothing of it is let through. */
START_TEST(forged_data_fails)
{
	struct tls *serving = rig_server(&rig, "server", NULL, false);
	struct tls *calling = rig_client(&rig, NULL, "ca");
	struct end client, server;
	size_t size;

	begin(&client, calling, "localhost");
	begin(&server, serving, NULL);
	talk(&client, &server, 1 << 20);
	ck_assert(stream_tls_write(client.tls, STR("pay 100 to alfa")));
	char *wire = stream_tls_take(client.tls, &size);
	ck_assert_uint_gt(size, 30);
	wire[(size_t)_i % size] ^= 1;
	stream_tls_feed(server.tls, (struct str){ wire, size });
	run(&server);
	/* a longer length only waits for more */
	bool longer = (_i == 3 || _i == 4) && server.last == STREAM_TLS_MORE;
	ck_assert(longer || server.last == STREAM_TLS_FAIL);
	ck_assert_uint_eq(server.plain.len, 0);
	free(wire);
	finish(&client);
	finish(&server);
	tls_close(serving);
	tls_close(calling);
}
END_TEST

START_TEST(holds_no_more_than_its_bound)
{
	struct tls *serving = rig_server(&rig, "server", NULL, false);
	char *much = calloc(1, STREAM_TLS_HELD_BYTES + 1);
	struct end server;

	begin(&server, serving, NULL);
	ck_assert(!stream_tls_is_used(server.tls));
	stream_tls_feed(server.tls, (struct str){ much, STREAM_TLS_HELD_BYTES });
	ck_assert(stream_tls_keep(server.tls) && stream_tls_is_used(server.tls));
	ck_assert(stream_tls_has_input(server.tls));
	stream_tls_feed(server.tls, (struct str){ much, 1 });
	ck_assert(!stream_tls_keep(server.tls));
	free(much);
	finish(&server);
	tls_close(serving);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("stream_tls");
	TCase *tc = tcase_create("stream_tls");

	tcase_add_unchecked_fixture(tc, open_rig, close_rig);
	tcase_add_loop_test(tc, any_cut_gives_the_same, 0, sizeof pieces / sizeof *pieces);
	tcase_add_loop_test(tc, believes_only_whom_it_may, 0, sizeof believed / sizeof *believed);
	tcase_add_loop_test(
		tc, asks_clients_for_a_certificate, 0, sizeof welcomed / sizeof *welcomed);
	tcase_add_loop_test(
		tc, takes_only_what_is_offered_rightly, 0, sizeof offers / sizeof *offers);
	tcase_add_test(tc, does_not_negotiate_again);
	tcase_add_test(tc, keys_change_under_way);
	tcase_add_loop_test(tc, garbage_fails, 0, 6);
	tcase_add_loop_test(tc, forged_data_fails, 0, 30);
	tcase_add_test(tc, holds_no_more_than_its_bound);
	suite_add_tcase(suite, tc);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
