/*
 * An S3 client of the bucket "bucket" on a loop, and the stub that it talks to.
 */
#ifndef ESTEIRA_TESTS_UNIT_PORT_S3_RIG_H
#define ESTEIRA_TESTS_UNIT_PORT_S3_RIG_H

#include "port/s3.h"

#include "http_rig.h"
#include "s3_stub.h"

struct s3_rig {
	struct s3_stub stub;
	struct http_rig client;
	struct s3 *s3;
	struct arena *arena;
	char endpoint[64];
	_Atomic int heard[S3_OPERATIONS][S3_OUTCOMES];
	_Atomic bool took_wrong;
};

static inline void s3_rig_heard(
	void *arg, enum s3_operation operation, enum s3_outcome outcome, int64_t took_us)
{
	struct s3_rig *rig = arg;

	rig->heard[operation][outcome]++;
	if (took_us < 0 || took_us > 60000000)
		rig->took_wrong = true;
}

static inline struct s3_ear s3_rig_ear(struct s3_rig *rig)
{
	return (struct s3_ear){ s3_rig_heard, rig };
}

/* secret: the client's; the stub's is "secret". */
static inline void s3_rig_up(struct s3_rig *rig, const char *secret)
{
	memset(rig, 0, sizeof *rig);
	rig->stub.key = (struct s3_sign_key){ "us-east-1", "s3", "access", "secret" };
	rig->stub.http.handler = s3_stub_serve;
	rig->stub.http.state = &rig->stub;
	http_stub_start(&rig->stub.http);
	snprintf(rig->endpoint, sizeof rig->endpoint, "http://127.0.0.1:%d", rig->stub.http.port);
	struct s3_conf conf = { .endpoint = rig->endpoint,
		.bucket = "bucket",
		.access_key = "access",
		.secret_key = secret,
		.ear = s3_rig_ear(rig) };
	rig->arena = arena_new(1 << 20);
	http_rig_up(&rig->client, NULL);
	ck_assert_int_eq(s3_open(rig->client.http, &conf, &rig->s3).kind, ERR_OK);
}

static inline void s3_rig_down(struct s3_rig *rig)
{
	http_rig_down(&rig->client);
	s3_close(rig->s3);
	arena_free(rig->arena);
	http_stub_stop(&rig->stub.http);
	free((void *)(uintptr_t)rig->stub.stored.ptr);
}

#endif
