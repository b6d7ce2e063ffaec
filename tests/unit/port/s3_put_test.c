#include "port/s3_put.h"

#include <check.h>

#include "s3_rig.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

struct upload {
	struct s3_rig *rig;
	struct s3_put *put;
	const char *key;
	size_t total, fed, piece;
	size_t abort_at; /* 0: never */
	struct err result;
	bool is_done;
};

static char byte_at(size_t at)
{
	return (char)(at * 31 % 253);
}

static void upload_done(void *arg, struct err result)
{
	struct upload *upload = arg;

	upload->result = result;
	upload->is_done = true;
	sem_post(&upload->rig->client.sem);
}

static void upload_more(void *arg)
{
	struct upload *upload = arg;
	char bytes[70000];

	while (upload->fed < upload->total && s3_put_pending(upload->put) < 300000) {
		size_t len = upload->total - upload->fed;

		if (len > upload->piece)
			len = upload->piece;
		for (size_t i = 0; i < len; i++)
			bytes[i] = byte_at(upload->fed + i);
		ck_assert_int_eq(s3_put_feed(upload->put, (struct str){ bytes, len }).kind, ERR_OK);
		upload->fed += len;
		if (upload->abort_at > 0 && upload->fed >= upload->abort_at) {
			s3_put_abort(upload->put);
			sem_post(&upload->rig->client.sem);
			return;
		}
	}
	if (upload->fed == upload->total) {
		ck_assert_int_eq(s3_put_end(upload->put).kind, ERR_OK);
		ck_assert_int_eq(s3_put_end(upload->put).kind, ERR_REJECT);
	}
}

static void upload_start(void *arg)
{
	static const struct s3_put_callbacks callbacks = { upload_done, upload_more };
	struct upload *upload = arg;
	struct s3_put_request request = { upload->key, upload->total, 10000 };

	ck_assert_int_eq(
		s3_put_open(upload->rig->s3, &request, &callbacks, upload, &upload->put).kind,
		ERR_OK);
}

static void upload_run(struct s3_rig *rig, struct upload *upload)
{
	upload->rig = rig;
	if (upload->piece == 0)
		upload->piece = 10007;
	ck_assert(loop_post(rig->client.loop, upload_start, upload));
	sem_wait(&rig->client.sem);
}

START_TEST(puts_in_signed_chunks)
{
	static const struct {
		size_t total, piece;
	} rows[] = { { 1, 1 }, { 100, 7 }, { 65535, 10007 }, { 65536, 65536 }, { 65537, 70000 },
		{ 131072, 70000 }, { 3000001, 50000 } };
	struct s3_rig rig;

	s3_rig_up(&rig, "secret");
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct upload upload = {
			.key = "tenant a/job+1.enc", .total = rows[i].total, .piece = rows[i].piece
		};
		size_t wrong = 0;

		upload_run(&rig, &upload);
		ck_assert_msg(upload.result.kind == ERR_OK, "%zu: %s", i, upload.result.msg);
		ck_assert_uint_eq(rig.stub.stored.len, rows[i].total);
		ck_assert_str_eq(rig.stub.stored_target, "/bucket/tenant%20a/job%2B1.enc");
		for (size_t k = 0; k < rows[i].total; k++)
			wrong += rig.stub.stored.ptr[k] != byte_at(k);
		ck_assert_uint_eq(wrong, 0);
	}
	s3_rig_down(&rig);
	ck_assert_int_eq(rig.stub.http.connections, 1);
	ck_assert_int_eq(rig.stub.unsized, 0);
	ck_assert_int_eq(rig.heard[S3_PUT][S3_OK], COUNT(rows));
	ck_assert(!rig.took_wrong);
}
END_TEST

START_TEST(abort_leaves_no_object)
{
	static const size_t at[] = { 1, 100000, 1000000, 2000000 };
	struct s3_rig rig;

	s3_rig_up(&rig, "secret");
	for (size_t i = 0; i < COUNT(at); i++) {
		struct upload upload = { .key = "k", .total = 2000000, .abort_at = at[i] };

		upload_run(&rig, &upload);
		ck_assert(!upload.is_done);
	}
	s3_rig_down(&rig);
	ck_assert(rig.stub.stored_target[0] == '\0');
	ck_assert_int_eq(rig.stub.refused, 0);
	ck_assert_int_eq(rig.heard[S3_PUT][S3_OK] + rig.heard[S3_PUT][S3_FAILED], 0);
}
END_TEST

START_TEST(put_tells_what_the_server_says)
{
	static const struct {
		const char *secret;
		int outage;
		enum err_code code;
	} rows[] = {
		{ "wrong", 0, ERR_CODE_STORAGE_REFUSED },
		{ "secret", 404, ERR_CODE_STORAGE_REFUSED },
		{ "secret", 403, ERR_CODE_STORAGE_REFUSED },
		{ "secret", 411, ERR_CODE_STORAGE_REFUSED },
		{ "secret", 429, ERR_CODE_STORAGE_AWAY },
		{ "secret", 500, ERR_CODE_STORAGE_AWAY },
		{ "secret", 503, ERR_CODE_STORAGE_AWAY },
		{ "secret", 302, ERR_CODE_STORAGE_AWAY },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct s3_rig rig;
		struct upload upload = { .key = "k", .total = 1000 };

		s3_rig_up(&rig, rows[i].secret);
		rig.stub.outage = rows[i].outage;
		upload_run(&rig, &upload);
		ck_assert_int_eq(upload.result.kind, ERR_RETRY);
		ck_assert_int_eq(upload.result.code, rows[i].code);
		s3_rig_down(&rig);
		ck_assert(rig.stub.stored_target[0] == '\0');
	}
}
END_TEST

static void misuse(void *arg)
{
	static const struct s3_put_callbacks callbacks = { upload_done, NULL };
	struct upload *upload = arg;
	struct s3 *s3 = upload->rig->s3;
	struct s3_put_request none = { "k", 0, 0 }, nameless = { "", 1, 0 }, good = { "k", 3, 0 };

	ck_assert_int_eq(s3_put_open(s3, &none, &callbacks, upload, &upload->put).kind, ERR_REJECT);
	ck_assert_int_eq(
		s3_put_open(s3, &nameless, &callbacks, upload, &upload->put).kind, ERR_REJECT);
	ck_assert_int_eq(s3_put_open(s3, &good, &callbacks, upload, &upload->put).kind, ERR_OK);
	ck_assert_int_eq(s3_put_feed(upload->put, STR("four")).kind, ERR_REJECT);
	ck_assert_int_eq(s3_put_feed(upload->put, STR("tw")).kind, ERR_OK);
	ck_assert_int_eq(s3_put_end(upload->put).kind, ERR_REJECT);
	s3_put_abort(upload->put);
	sem_post(&upload->rig->client.sem);
}

START_TEST(put_is_bounded)
{
	struct s3_rig rig;
	struct upload upload = { .rig = &rig };

	s3_rig_up(&rig, "secret");
	ck_assert(loop_post(rig.client.loop, misuse, &upload));
	sem_wait(&rig.client.sem);
	s3_rig_down(&rig);
	ck_assert(!upload.is_done && rig.stub.stored_target[0] == '\0');
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { puts_in_signed_chunks, abort_leaves_no_object,
		put_tells_what_the_server_says, put_is_bounded };

	return http_rig_main("s3_put", tests, COUNT(tests));
}
