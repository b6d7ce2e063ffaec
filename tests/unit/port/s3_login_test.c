#include "port/s3_login.h"

#include <check.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/secret.h"

#include "s3_rig.h"

struct live {
	struct s3_rig rig;
	struct secret *access_key, *secret_key;
	char folder[64];
};

static void write_key(const struct live *live, const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof path, "%s/%s", live->folder, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq((int)write(fd, text, strlen(text)), (int)strlen(text));
	close(fd);
}

static void remove_key(const struct live *live, const char *name)
{
	char path[128];

	snprintf(path, sizeof path, "%s/%s", live->folder, name);
	ck_assert_int_eq(unlink(path), 0);
}

static struct secret *open_key(const struct live *live, const char *name)
{
	struct secret *secret = NULL;
	char path[128];

	snprintf(path, sizeof path, "%s/%s", live->folder, name);
	const struct secret_conf conf = { .path = path };
	ck_assert_int_eq(secret_open(&conf, &secret).kind, ERR_OK);
	return secret;
}

/* A client whose keys are files; the stub's are "access" and "secret". */
static void up(struct live *live, const char *access_key, const char *secret_key)
{
	memset(live, 0, sizeof *live);
	snprintf(live->folder, sizeof live->folder, "/tmp/esteira-s3-login-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(live->folder));
	write_key(live, "access", access_key);
	write_key(live, "secret", secret_key);
	live->access_key = open_key(live, "access");
	live->secret_key = open_key(live, "secret");
	s3_rig_up(&live->rig, "secret");
	s3_close(live->rig.s3);
	const struct s3_conf conf = { .endpoint = live->rig.endpoint,
		.bucket = "bucket",
		.live_access_key = live->access_key,
		.live_secret_key = live->secret_key };
	ck_assert_int_eq(s3_open(live->rig.client.http, &conf, &live->rig.s3).kind, ERR_OK);
	live->rig.stub.stored = (struct str){ calloc(1, 1), 1 };
	snprintf(live->rig.stub.stored_target, sizeof live->rig.stub.stored_target, "/bucket/k");
}

static void down(struct live *live)
{
	s3_rig_down(&live->rig);
	secret_free(live->access_key);
	secret_free(live->secret_key);
	remove_key(live, "access");
	remove_key(live, "secret");
	ck_assert_int_eq(rmdir(live->folder), 0);
}

START_TEST(a_refusal_reads_the_files_again)
{
	struct live live;
	uint64_t size;

	up(&live, "access", "old");
	ck_assert_int_eq(s3_head(live.rig.s3, "k", &size).code, ERR_CODE_STORAGE_REFUSED);
	ck_assert_int_eq(live.rig.stub.refused, 1); /* the same keys are not tried again */
	write_key(&live, "secret", "secret\n");
	ck_assert_int_eq(s3_head(live.rig.s3, "k", &size).kind, ERR_OK);
	int refused = live.rig.stub.refused;
	ck_assert_int_le(refused, 2);
	ck_assert_int_eq(s3_head(live.rig.s3, "k", &size).kind, ERR_OK);
	ck_assert_int_eq(live.rig.stub.refused, refused);
	down(&live);
}
END_TEST

/* Two files change one after the other: between them nothing works, and then all does. */
START_TEST(both_keys_change)
{
	struct live live;
	uint64_t size;

	up(&live, "access", "secret");
	ck_assert_int_eq(s3_head(live.rig.s3, "k", &size).kind, ERR_OK);
	live.rig.stub.key = (struct s3_sign_key){ "us-east-1", "s3", "access-2", "secret-2" };
	write_key(&live, "access", "access-2");
	ck_assert_int_eq(s3_head(live.rig.s3, "k", &size).code, ERR_CODE_STORAGE_REFUSED);
	write_key(&live, "secret", "secret-2");
	ck_assert_int_eq(s3_head(live.rig.s3, "k", &size).kind, ERR_OK);
	down(&live);
}
END_TEST

/* Keys that cannot be signed with leave the last good ones in force. */
START_TEST(keeps_the_last_good_pair)
{
	struct live live;
	uint64_t size;

	up(&live, "access", "secret");
	const struct s3_sign_key *before = s3_key(live.rig.s3);
	write_key(&live, "secret", "sec ret");
	ck_assert(secret_renew(live.secret_key, 1));
	ck_assert_ptr_eq(s3_key(live.rig.s3), before);
	write_key(&live, "access", "");
	ck_assert(!secret_renew(live.access_key, 1));
	ck_assert_ptr_eq(s3_key(live.rig.s3), before);
	ck_assert_int_eq(s3_head(live.rig.s3, "k", &size).kind, ERR_OK);
	down(&live);
}
END_TEST

/* A request that is under way reads the pair it began with. */
START_TEST(a_pair_outlives_its_successor)
{
	struct live live;

	up(&live, "access", "secret");
	const struct s3_sign_key *before = s3_key(live.rig.s3);
	write_key(&live, "secret", "other");
	ck_assert(secret_renew(live.secret_key, 1));
	const struct s3_sign_key *after = s3_key(live.rig.s3);
	ck_assert_ptr_ne(before, after);
	ck_assert_str_eq(before->secret_key, "secret");
	ck_assert_str_eq(after->secret_key, "other");
	ck_assert_str_eq(after->access_key, "access");
	down(&live);
}
END_TEST

START_TEST(insists_on_keys)
{
	struct live live;
	struct s3 *s3 = NULL;

	up(&live, "access", "secret");
	struct s3_conf conf = { .endpoint = live.rig.endpoint, .bucket = "bucket" };
	ck_assert_int_eq(s3_open(live.rig.client.http, &conf, &s3).code, ERR_CODE_BAD_CONFIG);
	conf.live_access_key = live.access_key;
	ck_assert_int_eq(s3_open(live.rig.client.http, &conf, &s3).code, ERR_CODE_BAD_CONFIG);
	conf.access_key = "access";
	conf.secret_key = "se\tcret";
	ck_assert_int_eq(s3_open(live.rig.client.http, &conf, &s3).code, ERR_CODE_BAD_CONFIG);
	down(&live);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("s3_login");
	TCase *tcase = tcase_create("s3_login");

	tcase_add_test(tcase, a_refusal_reads_the_files_again);
	tcase_add_test(tcase, both_keys_change);
	tcase_add_test(tcase, keeps_the_last_good_pair);
	tcase_add_test(tcase, a_pair_outlives_its_successor);
	tcase_add_test(tcase, insists_on_keys);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
