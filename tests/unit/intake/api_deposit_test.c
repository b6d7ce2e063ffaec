#include "api/deposit.h"

#include <check.h>

#include "../port/s3_rig.h"

enum { MAX_BYTES = 1000000, PAGE_BYTES = 300000 };

static const struct seal_key tenant_key = { { 7, 7, 7 } };

/* One upload: the body in pieces of that size, as a connection would give them. */
struct upload {
	struct s3_rig *rig;
	const char *content_type;
	struct str body;
	size_t piece, at;
	bool stop_early; /* freed before its end */
	struct deposit *deposit;
	struct deposit_view stored;
	uint8_t half[SEAL_HALF_BYTES];
	char hash[DIGEST_HEX_BYTES];
	struct buf scratch;
	struct err result;
	int ends;
};

static struct seal_context context(void)
{
	return (struct seal_context){ .tenant = { { { 1 } } },
		.job = { { 2 } },
		.tenant_key = &tenant_key,
		.key_version = 1 };
}

static void finish(struct upload *upload, struct err e)
{
	upload->result = e;
	upload->ends++;
	upload->stored = deposit_look(upload->deposit);
	memcpy(upload->half, upload->stored.key_half, sizeof upload->half);
	memcpy(upload->hash, upload->stored.document_hash, sizeof upload->hash);
	deposit_free(upload->deposit);
	sem_post(&upload->rig->client.sem);
}

static void on_done(void *arg, struct err e)
{
	finish(arg, e);
}

static void on_room(void *arg)
{
	struct upload *upload = arg;
	bool wait = false;

	while (upload->at < upload->body.len && !wait) {
		size_t left = upload->body.len - upload->at;
		const struct str piece = { upload->body.ptr + upload->at,
			left < upload->piece ? left : upload->piece };
		upload->at += piece.len;
		struct err e = deposit_feed(upload->deposit, piece, &wait);
		if (e.kind != ERR_OK) {
			finish(upload, e);
			return;
		}
	}
	if (wait)
		return;
	struct err e = upload->stop_early ? err_retry(ERR_CODE_REQUEST_TIMEOUT, "client gone")
					  : deposit_end(upload->deposit);
	if (e.kind != ERR_OK)
		finish(upload, e);
}

static void start(void *arg)
{
	static const struct deposit_events events = { .done = on_done, .room = on_room };
	struct upload *upload = arg;
	const struct seal_context seal = context();
	const struct deposit_conf conf = { .s3 = upload->rig->s3,
		.seal = &seal,
		.object_key = "tenant/job.enc",
		.content_type = str_of(upload->content_type),
		.body_bytes = upload->body.len,
		.document_max_bytes = MAX_BYTES,
		.scratch = &upload->scratch };

	ck_assert_int_eq(deposit_new(&conf, &events, upload, &upload->deposit).kind, ERR_OK);
	on_room(upload);
}

static void run(struct s3_rig *rig, struct upload *upload)
{
	upload->rig = rig;
	upload->scratch = BUF(SEAL_CHUNK_BYTES + 1024);
	upload->at = 0;
	ck_assert(loop_post(rig->client.loop, start, upload));
	sem_wait(&rig->client.sem);
	ck_assert_int_eq(upload->ends, 1);
	buf_done(&upload->scratch);
}

/* A page of PDF with the magic at that place. */
static struct str page(size_t magic_at, size_t size)
{
	char *bytes = malloc(size + 1);

	for (size_t i = 0; i < size; i++)
		bytes[i] = (char)(i * 31 % 251);
	for (size_t i = 0; i < 5; i++)
		if (magic_at + i < size)
			bytes[magic_at + i] = "%PDF-"[i];
	return (struct str){ bytes, size };
}

static struct str form(struct str document)
{
	struct buf body = BUF(2 * MAX_BYTES);

	buf_add_str(&body, STR("--b\r\nContent-Disposition: form-data; name=\"file\"; "
			       "filename=\"x.pdf\"\r\n\r\n"));
	buf_add_str(&body, document);
	buf_add_str(&body, STR("\r\n--b--\r\n"));
	size_t len = body.len;
	return (struct str){ buf_take(&body), len };
}

static void drop(struct str bytes)
{
	free((void *)(uintptr_t)bytes.ptr);
}

static void expect_stored(const struct upload *upload, struct str document)
{
	const struct str object = upload->rig->stub.stored;
	const struct seal_context seal = context();
	uint8_t hash[DIGEST_BYTES];
	char hex[DIGEST_HEX_BYTES];
	size_t len = 0;

	ck_assert_msg(upload->result.kind == ERR_OK, "%s", upload->result.msg);
	ck_assert_uint_eq(object.len, seal_doc_size(upload->body.len));
	ck_assert_uint_eq(upload->stored.object_bytes, object.len);
	ck_assert_uint_eq(upload->stored.document_bytes, document.len);
	char *plain = malloc(seal_doc_room(object.len));
	ck_assert_int_eq(seal_doc_open(&seal, upload->half, object, plain, &len).kind, ERR_OK);
	ck_assert_uint_eq(len, document.len);
	ck_assert_mem_eq(plain, document.ptr, len);
	digest_sha256(document, hash);
	encode_hex(hash, sizeof hash, hex);
	ck_assert_str_eq(upload->hash, hex);
	free(plain);
}

START_TEST(stores_what_came)
{
	static const struct {
		size_t magic_at, size, piece;
		bool multipart;
	} rows[] = {
		{ 0, 5, 1, false },
		{ 0, 1023, 7, false },
		{ 1019, 1024, 1, false },
		{ 1019, 5000, 1000, false },
		{ 100, PAGE_BYTES, 65536, false },
		{ 0, MAX_BYTES, 65536, false },
		{ 0, 5, 1, true },
		{ 1019, PAGE_BYTES, 10007, true },
		{ 3, MAX_BYTES, 65536, true },
	};
	struct s3_rig rig;

	s3_rig_up(&rig, "secret");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct str document = page(rows[i].magic_at, rows[i].size);
		struct str body = rows[i].multipart ? form(document) : document;
		struct upload upload = { .content_type = rows[i].multipart
								 ? "multipart/form-data; boundary=b"
								 : "application/pdf",
			.body = body,
			.piece = rows[i].piece };
		run(&rig, &upload);
		expect_stored(&upload, document);
		if (rows[i].multipart)
			drop(body);
		drop(document);
	}
	s3_rig_down(&rig);
}
END_TEST

START_TEST(refuses)
{
	static const struct {
		size_t magic_at, size;
		bool multipart;
		enum err_code code;
	} rows[] = {
		{ 0, 0, false, ERR_CODE_EMPTY_DOCUMENT },
		{ 0, 0, true, ERR_CODE_EMPTY_DOCUMENT },
		{ 9, 5, false, ERR_CODE_NOT_A_PDF },
		{ 9, 13, false, ERR_CODE_NOT_A_PDF }, /* the magic is cut off */
		{ 1020, 5000, false, ERR_CODE_NOT_A_PDF },
		{ 1020, 5000, true, ERR_CODE_NOT_A_PDF },
		{ 0, MAX_BYTES + 1, false, ERR_CODE_DOCUMENT_TOO_LARGE },
		{ 0, MAX_BYTES + 1, true, ERR_CODE_DOCUMENT_TOO_LARGE },
	};
	struct s3_rig rig;

	s3_rig_up(&rig, "secret");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct str document = page(rows[i].magic_at, rows[i].size);
		struct str body = rows[i].multipart ? form(document) : document;
		struct upload upload = { .content_type = rows[i].multipart
								 ? "Multipart/Form-Data;boundary=b"
								 : "application/pdf",
			.body = body,
			.piece = 40000 };
		run(&rig, &upload);
		ck_assert_msg(err_is(upload.result, rows[i].code), "%zu: %s", i,
			err_code_name(upload.result.code));
		if (rows[i].multipart)
			drop(body);
		drop(document);
	}
	s3_rig_down(&rig);
	ck_assert_ptr_null(rig.stub.stored.ptr);
}
END_TEST

START_TEST(client_gone_leaves_nothing)
{
	static const size_t sizes[] = { 10, 2000, PAGE_BYTES, MAX_BYTES };
	struct s3_rig rig;

	s3_rig_up(&rig, "secret");
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct str document = page(0, sizes[i]);
		struct upload upload = { .content_type = "application/pdf",
			.body = document,
			.piece = 65536,
			.stop_early = true };
		run(&rig, &upload);
		ck_assert(err_is(upload.result, ERR_CODE_REQUEST_TIMEOUT));
		drop(document);
	}
	s3_rig_down(&rig);
	ck_assert_ptr_null(rig.stub.stored.ptr);
}
END_TEST

START_TEST(storage_fails)
{
	struct str document = page(0, MAX_BYTES);
	struct s3_rig rig;

	s3_rig_up(&rig, "secret");
	rig.stub.outage = 503;
	struct upload upload = {
		.content_type = "application/pdf", .body = document, .piece = 65536
	};
	run(&rig, &upload);
	ck_assert_int_eq(upload.result.kind, ERR_RETRY);
	ck_assert(err_is(upload.result, ERR_CODE_STORAGE_AWAY));
	s3_rig_down(&rig);
	drop(document);
}
END_TEST

/* A client that sends its first piece and then one a tick, until a feed fails. A piece is more than
 * a chunk: some libcurls look at an answer only when they send. */
enum { TICK_BYTES = 70000 };

struct trickle {
	struct upload upload;
	struct loop_timer *timer;
};

static bool give_up(struct http_stub *stub, const struct http_stub_request *request)
{
	(void)stub;
	s3_stub_fail(request, 400, "RequestTimeout");
	return true;
}

static void on_told(void *arg, struct err e)
{
	(void)arg;
	ck_abort_msg("told while the client was silent: %s", e.msg);
}

static void on_tick(void *arg)
{
	struct trickle *trickle = arg;
	bool wait = false;
	struct err e = deposit_feed(trickle->upload.deposit, trickle->upload.body, &wait);

	ck_assert(!wait);
	if (e.kind == ERR_OK)
		return;
	loop_timer_free(trickle->timer);
	finish(&trickle->upload, e);
}

static void start_trickle(void *arg)
{
	static const struct deposit_events events = { .done = on_told, .room = on_room };
	struct trickle *trickle = arg;
	struct upload *upload = &trickle->upload;
	struct loop *loop = upload->rig->client.loop;
	const struct seal_context seal = context();
	const struct deposit_conf conf = { .s3 = upload->rig->s3,
		.seal = &seal,
		.object_key = "tenant/job.enc",
		.content_type = STR("application/pdf"),
		.body_bytes = MAX_BYTES,
		.document_max_bytes = MAX_BYTES,
		.scratch = &upload->scratch };
	bool wait = false;

	ck_assert_int_eq(deposit_new(&conf, &events, upload, &upload->deposit).kind, ERR_OK);
	ck_assert_int_eq(deposit_feed(upload->deposit, STR("%PDF-1.4"), &wait).kind, ERR_OK);
	ck_assert_int_eq(loop_timer_new(loop, on_tick, trickle, &trickle->timer).kind, ERR_OK);
	loop_timer_start(trickle->timer, 50, 50);
}

/* Was 503 instead of 408: a server that drops a PUT which stands still raced with our own limit. */
START_TEST(storage_gives_up_on_a_silent_client)
{
	struct s3_rig rig;

	s3_rig_up(&rig, "secret");
	rig.stub.http.early = give_up;
	struct trickle trickle = { .upload = { .rig = &rig,
					   .body = page(0, TICK_BYTES),
					   .scratch = BUF(SEAL_CHUNK_BYTES + 1024) } };
	ck_assert(loop_post(rig.client.loop, start_trickle, &trickle));
	sem_wait(&rig.client.sem);
	ck_assert(err_is(trickle.upload.result, ERR_CODE_STORAGE_REFUSED) ||
		  err_is(trickle.upload.result, ERR_CODE_STORAGE_AWAY));
	drop(trickle.upload.body);
	buf_done(&trickle.upload.scratch);
	s3_rig_down(&rig);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { stores_what_came, refuses, client_gone_leaves_nothing,
		storage_fails, storage_gives_up_on_a_silent_client };

	return http_rig_main("api/deposit", tests, sizeof tests / sizeof *tests);
}
