/*
 * What the broker says to a commit that nobody waits for reaches the owner: against librdkafka's
 * mock cluster, because a real broker cannot be told to refuse.
 */
#include "port/kafka.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "base/clock.h"

enum { OFFSET_COMMIT = 8 /* the protocol's number of the request */, DEADLINE_MS = 30000 };

struct rig {
	rd_kafka_t *owner; /* of the cluster */
	rd_kafka_mock_cluster_t *cluster;
	struct kafka_consumer *consumer;
	size_t assigned, uncommitted;
	struct kafka_place last;
	struct err why;
};

static void on_assigned(void *arg, struct kafka_place *places, size_t count)
{
	struct rig *rig = arg;

	for (size_t i = 0; i < count; i++)
		places[i].offset = 0;
	rig->assigned += count;
}

static void on_revoked(void *arg, const struct kafka_place *places, size_t count, bool lost)
{
	(void)arg;
	(void)places;
	(void)count;
	(void)lost;
}

static void on_record(void *arg, const struct kafka_record *record)
{
	(void)arg;
	(void)record;
}

static void on_uncommitted(void *arg, const struct kafka_place *places, size_t count, struct err e)
{
	struct rig *rig = arg;

	rig->uncommitted += count;
	rig->last = places[0];
	rig->why = e;
}

static const struct kafka_consumer_events events = { on_assigned, on_revoked, on_record,
	on_uncommitted };

static void rig_up(struct rig *rig)
{
	static const char *const topics[] = { "t" };
	const struct kafka_subscription subscription = { "g", topics, 1 };
	char why[256];

	memset(rig, 0, sizeof *rig);
	rd_kafka_conf_t *quiet = rd_kafka_conf_new();
	rd_kafka_conf_set(quiet, "log_level", "0", why, sizeof why);
	rig->owner = rd_kafka_new(RD_KAFKA_PRODUCER, quiet, why, sizeof why);
	rig->cluster = rd_kafka_mock_cluster_new(rig->owner, 1);
	ck_assert_ptr_nonnull(rig->cluster);
	rd_kafka_mock_topic_create(rig->cluster, "t", 2, 1);
	const struct kafka_conf conf = { .brokers = rd_kafka_mock_cluster_bootstraps(rig->cluster),
		.client = "test",
		.session_ms = 6000,
		.max_poll_ms = 60000 };
	ck_assert_int_eq(
		kafka_consumer_open(&conf, &subscription, &events, rig, &rig->consumer).kind,
		ERR_OK);
}

static void rig_down(struct rig *rig)
{
	kafka_consumer_close(rig->consumer);
	rd_kafka_mock_cluster_destroy(rig->cluster);
	rd_kafka_destroy(rig->owner);
}

static void poll_until(struct rig *rig, const size_t *count, size_t wanted)
{
	int64_t until_ms = clock_mono_ms() + DEADLINE_MS;

	while (*count < wanted && clock_mono_ms() < until_ms)
		ck_assert_int_eq(kafka_consumer_poll(rig->consumer, 20).kind, ERR_OK);
	ck_assert_uint_eq(*count, wanted);
}

START_TEST(a_commit_that_is_refused_is_told)
{
	const struct kafka_place places[] = { { "t", 0, 5, "m" }, { "t", 1, 7, "m" } };
	const struct kafka_place again[] = { { "t", 0, 5, "m" } };
	struct kafka_place found[] = { { .topic = "t", .partition = 0 } };
	struct rig rig;

	rig_up(&rig);
	poll_until(&rig, &rig.assigned, 2);
	rd_kafka_mock_push_request_errors(
		rig.cluster, OFFSET_COMMIT, 1, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED);
	ck_assert_int_eq(kafka_consumer_commit(rig.consumer, places, 2, false).kind, ERR_OK);
	poll_until(&rig, &rig.uncommitted, 2);
	ck_assert(err_is(rig.why, ERR_CODE_KAFKA_DENIED) && rig.why.kind == ERR_RETRY);
	ck_assert_str_eq(rig.last.topic, "t");
	ck_assert_int_eq(rig.last.offset, 5);
	/* and one that is taken is not */
	ck_assert_int_eq(kafka_consumer_commit(rig.consumer, again, 1, true).kind, ERR_OK);
	ck_assert_int_eq(kafka_consumer_committed(rig.consumer, found, 1, 5000).kind, ERR_OK);
	ck_assert_int_eq(found[0].offset, 5);
	ck_assert_uint_eq(rig.uncommitted, 2);
	rig_down(&rig);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("kafka_consumer");
	TCase *tcase = tcase_create("commits");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, a_commit_that_is_refused_is_told);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
