#include "object.h"

#include <fcntl.h>

#include "base/id.h"
#include "port/s3.h"
#include "port/seal.h"

#include "../port/http_rig.h"
#include "../port/http_stub.h"
#include "events.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { STEPS_MAX = 8, ROOM_BYTES = 4096 };

/* --- a storage that answers by a script --- */

struct step {
	const char *method, *target; /* expected */
	int status;
	size_t body_bytes;
};

struct script {
	const struct step *steps;
	size_t next;
	bool wrong;
};

static bool serve(struct http_stub *stub, const struct http_stub_request *request)
{
	static const char body[128 * 1024];
	struct script *script = stub->state;
	const struct step *step = &script->steps[script->next];

	if (step->method == NULL || !str_eq(request->method, str_of(step->method)) ||
		!str_eq(request->target, str_of(step->target))) {
		script->wrong = true;
		return false;
	}
	script->next++;
	return http_stub_answer(request, step->status, "", (struct str){ body, step->body_bytes });
}

struct rig {
	struct http_stub stub;
	struct http_rig client;
	struct script script;
	struct object_place place;
	char endpoint[64];
};

static void rig_up(struct rig *rig, const struct step *steps)
{
	memset(rig, 0, sizeof *rig);
	rig->script.steps = steps;
	rig->stub.handler = serve;
	rig->stub.state = &rig->script;
	http_stub_start(&rig->stub);
	snprintf(rig->endpoint, sizeof rig->endpoint, "http://127.0.0.1:%d", rig->stub.port);
	http_rig_up(&rig->client, NULL);
	rig->place = (struct object_place){ rig->client.http, rig->endpoint, ROOM_BYTES,
		arena_new(1 << 20), { NULL, NULL } };
}

static void rig_down(struct rig *rig)
{
	http_rig_down(&rig->client);
	http_stub_stop(&rig->stub);
	arena_free(rig->place.arena);
	ck_assert(!rig->script.wrong);
	ck_assert_ptr_null(rig->script.steps[rig->script.next].method);
}

static const struct events_received paths = {
	.get_path = "/b/k?get",
	.head_path = "/b/k?head",
	.delete_path = "/b/k?delete",
};

/* --- deleting --- */

#define DELETE(status)                                                                             \
	{                                                                                          \
		"DELETE", "/b/k?delete", (status), 0                                               \
	}
#define HEAD(status, bytes)                                                                        \
	{                                                                                          \
		"HEAD", "/b/k?head", (status), (bytes)                                             \
	}

static const struct step deletions[][STEPS_MAX] = {
	{ DELETE(204), HEAD(404, 0) },
	{ DELETE(200), HEAD(404, 100) },
	{ DELETE(404), HEAD(404, 0) },
	{ DELETE(503), DELETE(204), HEAD(404, 0) },
	/* it lingers, and is larger than any answer may be */
	{ DELETE(204), HEAD(200, 100000), DELETE(204), HEAD(404, 0) },
	{ DELETE(204), HEAD(500, 0), DELETE(404), HEAD(404, 0) },
};

START_TEST(deletes_until_it_is_gone)
{
	struct rig rig;

	rig_up(&rig, deletions[_i]);
	ck_assert_int_eq(object_delete(&rig.place, &paths).kind, ERR_OK);
	rig_down(&rig);
}
END_TEST

/* --- fetching --- */

static const struct {
	struct step steps[2];
	enum err_kind kind;
	enum err_code code;
} fetches[] = {
	{ { { "GET", "/b/k?get", 200, 1000 } }, ERR_OK, ERR_CODE_NONE },
	{ { { "GET", "/b/k?get", 200, ROOM_BYTES } }, ERR_OK, ERR_CODE_NONE },
	{ { { "GET", "/b/k?get", 200, ROOM_BYTES + 1 } }, ERR_REJECT, ERR_CODE_RECORD_TOO_LARGE },
	{ { { "GET", "/b/k?get", 404, 10 } }, ERR_REJECT, ERR_CODE_NOT_FOUND },
	{ { { "GET", "/b/k?get", 403, 10 } }, ERR_RETRY, ERR_CODE_STORAGE_REFUSED },
	{ { { "GET", "/b/k?get", 503, 10 } }, ERR_RETRY, ERR_CODE_STORAGE_AWAY },
};

START_TEST(fetches_the_object)
{
	struct rig rig;
	struct http_response sealed = { 0 };

	rig_up(&rig, fetches[_i].steps);
	struct err e = object_fetch(&rig.place, &paths, 5000, &sealed);
	ck_assert_int_eq(e.kind, fetches[_i].kind);
	ck_assert_int_eq(e.code, fetches[_i].code);
	if (e.kind == ERR_OK)
		ck_assert_uint_eq(sealed.body.len, fetches[_i].steps[0].body_bytes);
	http_response_done(&sealed);
	rig_down(&rig);
}
END_TEST

/* A record can name no other host. */
START_TEST(stays_at_its_endpoint)
{
	static const char *const bad[] = { "", "http://evil.example/b/k", "//evil.example/b/k",
		"b/k", "@evil.example/", "/b/k\r\nX: y" };
	static const struct step none[] = { { NULL, NULL, 0, 0 } };
	struct rig rig;

	rig_up(&rig, none);
	for (size_t i = 0; i < COUNT(bad); i++) {
		const struct events_received evil = { .get_path = bad[i] };
		struct http_response sealed = { 0 };
		struct err e = object_fetch(&rig.place, &evil, 5000, &sealed);
		ck_assert(e.kind == ERR_REJECT && err_is(e, ERR_CODE_BAD_PARAMETER));
	}
	rig_down(&rig);
}
END_TEST

/* --- whose it is --- */

#define TENANT "018f4d3a-7b1c-7000-8000-0123456789ab"
#define OTHER  "018f4d3a-7b1c-7000-8000-0123456789ac"
#define JOB    "018f4d3a-7b1c-7000-9000-0123456789ab"
#define GOOD   "/esteira-documents/" TENANT "/" JOB ".enc?X-Amz-Signature=0"

/* A path signed for another object opened it for this job. */
START_TEST(takes_the_object_of_the_job_alone)
{
	static const char *const bad[] = {
		"/b/" OTHER "/" JOB ".enc?x",
		"/b/" TENANT "/" OTHER ".enc?x",
		"/b/" TENANT "/../" OTHER "/" JOB ".enc?x",
		"/b/" OTHER "/" JOB ".enc?/b/" TENANT "/" JOB ".enc",
		"/b/" OTHER "/" JOB ".enc/" TENANT "/" JOB ".enc?x",
		"/../" TENANT "/" JOB ".enc?x",
		"/b%2f/" TENANT "/" JOB ".enc?x",
		"//" TENANT "/" JOB ".enc?x",
		"/b//" TENANT "/" JOB ".enc?x",
		"/" TENANT "/" JOB ".enc?x",
		"/b/" TENANT "/" JOB ".enc/?x",
		"/b/" TENANT "/" JOB "?x",
		"b/" TENANT "/" JOB ".enc?x",
		"",
	};
	struct arena *arena = arena_new(1 << 16);
	struct events_received named = { .get_path = GOOD, .head_path = GOOD, .delete_path = GOOD };
	const char **const each[] = { &named.get_path, &named.head_path, &named.delete_path };
	struct tenant tenant;

	ck_assert(id_parse(STR(TENANT), &tenant.id) && id_parse(STR(JOB), &named.job_id));
	ck_assert_int_eq(object_check(&named, tenant, arena).kind, ERR_OK);
	for (size_t i = 0; i < COUNT(bad); i++)
		for (size_t j = 0; j < COUNT(each); j++) {
			*each[j] = bad[i];
			struct err e = object_check(&named, tenant, arena);
			ck_assert(e.kind == ERR_REJECT && err_is(e, ERR_CODE_TENANT_MISMATCH));
			*each[j] = GOOD;
		}
	ck_assert(id_parse(STR(OTHER), &tenant.id));
	ck_assert_int_eq(object_check(&named, tenant, arena).kind, ERR_REJECT);
	arena_free(arena);
}
END_TEST

/* --- opening --- */

struct envelope {
	struct seal_key key;
	struct seal_context context;
	uint8_t half[SEAL_HALF_BYTES];
	struct buf sealed;
};

static void envelope_make(struct envelope *envelope, struct str document)
{
	struct seal_writer *writer;
	bool done = false;

	*envelope = (struct envelope){ .sealed = BUF(1 << 20) };
	seal_key_make(NULL, &envelope->key);
	envelope->context = (struct seal_context){ .tenant = { id_v7() },
		.job = id_v7(),
		.tenant_key = &envelope->key,
		.key_version = 1 };
	ck_assert(
		seal_doc_writer_new(&envelope->context, document.len + 300, &writer, envelope->half)
			.kind == ERR_OK);
	ck_assert(seal_doc_write(writer, document, &envelope->sealed).kind == ERR_OK);
	while (!done)
		ck_assert(seal_doc_finish(writer, &envelope->sealed, &done).kind == ERR_OK);
	seal_doc_writer_free(writer);
}

START_TEST(opens_into_a_sealed_file)
{
	static const char document[] = "%PDF-1.4 and so on";
	char read_back[64] = "";
	struct envelope envelope;
	int fd = -1;

	envelope_make(&envelope, str_of(document));
	struct err e =
		object_unseal(&envelope.context, envelope.half, buf_str(&envelope.sealed), &fd);
	ck_assert(e.kind == ERR_OK && fd >= 0);
	ck_assert_int_eq(pread(fd, read_back, sizeof read_back, 0), (ssize_t)sizeof document - 1);
	ck_assert_str_eq(read_back, document);
	ck_assert_int_eq(pwrite(fd, "x", 1, 0), -1);
	ck_assert_int_eq(ftruncate(fd, 0), -1);
	ck_assert_int_eq(ftruncate(fd, 1 << 20), -1);
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	ck_assert_int_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	close(fd);
	buf_done(&envelope.sealed);
}
END_TEST

static void damage_nothing(struct envelope *envelope)
{
	(void)envelope;
}

static void damage_half(struct envelope *envelope)
{
	envelope->half[7] ^= 1;
}

static void damage_key(struct envelope *envelope)
{
	envelope->key.bytes[0] ^= 1;
}

static void damage_job(struct envelope *envelope)
{
	envelope->context.job = id_v7();
}

static void damage_tenant(struct envelope *envelope)
{
	envelope->context.tenant.id = id_v7();
}

static void damage_byte(struct envelope *envelope)
{
	envelope->sealed.ptr[SEAL_DOC_HEADER_BYTES + 3] ^= 1;
}

static void damage_end(struct envelope *envelope)
{
	envelope->sealed.len--;
}

static void damage_all(struct envelope *envelope)
{
	envelope->sealed.len = 0;
}

START_TEST(opens_nothing_else)
{
	static void (*const damages[])(struct envelope *) = { damage_nothing, damage_half,
		damage_key, damage_job, damage_tenant, damage_byte, damage_end, damage_all };

	for (size_t i = 0; i < COUNT(damages); i++) {
		struct envelope envelope;
		int fd = -1;
		envelope_make(&envelope, STR("%PDF-1.7"));
		damages[i](&envelope);
		struct err e = object_unseal(
			&envelope.context, envelope.half, buf_str(&envelope.sealed), &fd);
		if (i > 0)
			ck_assert(err_is(e, ERR_CODE_UNDECRYPTABLE) && fd == -1);
		else
			ck_assert(e.kind == ERR_OK && close(fd) == 0);
		buf_done(&envelope.sealed);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("object");
	TCase *tests = tcase_create("object");

	tcase_set_timeout(tests, 30);
	tcase_add_loop_test(tests, deletes_until_it_is_gone, 0, COUNT(deletions));
	tcase_add_loop_test(tests, fetches_the_object, 0, COUNT(fetches));
	tcase_add_test(tests, stays_at_its_endpoint);
	tcase_add_test(tests, takes_the_object_of_the_job_alone);
	tcase_add_test(tests, opens_into_a_sealed_file);
	tcase_add_test(tests, opens_nothing_else);
	suite_add_tcase(suite, tests);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
