/* Many threads at one schedule; for the thread sanitizer above all. */
#include "frame/schedule.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>

static const struct route txn = { .kind = ROUTE_TXN }, work = { .kind = ROUTE_WORK };

enum { LANES = 37, TENANTS = 5, RECORDS = 20000, WORKERS = 4 };

struct crowd {
	struct schedule *schedule;
	_Atomic int64_t last[LANES]; /* the last offset handled of each lane */
	_Atomic int in_lane[LANES];
	_Atomic int handled, wrong;
};

static int lane_number(const struct record *record)
{
	return (unsigned char)record->lane_key.ptr[0];
}

static void enter(struct crowd *crowd, struct record **records, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		bool first = i == 0 || records[i]->link.lane != records[i - 1]->link.lane;
		if (first && crowd->in_lane[lane_number(records[i])]++ != 0)
			crowd->wrong++;
	}
}

static void leave(struct crowd *crowd, struct record **records, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (i == 0 || records[i]->link.lane != records[i - 1]->link.lane)
			crowd->in_lane[lane_number(records[i])]--;
}

/* Every seventh batch comes back once more, as after a failure. */
static void *crowd_work(void *arg)
{
	struct crowd *crowd = arg;
	struct record *records[SCHEDULE_TAKE_MAX];
	size_t count;

	for (int turn = 0; (count = schedule_take(crowd->schedule, records)) > 0; turn++) {
		bool later = turn % 7 == 3;
		enter(crowd, records, count);
		for (size_t i = 0; i < count && !later; i++) {
			int64_t *offset = &records[i]->offset;
			int64_t before = crowd->last[lane_number(records[i])];
			if (*offset <= before || *offset % LANES != lane_number(records[i]))
				crowd->wrong++;
			crowd->last[lane_number(records[i])] = *offset;
		}
		leave(crowd, records, count);
		crowd->handled += later ? 0 : (int)count;
		for (size_t i = 0; i < count; i++)
			schedule_finish(crowd->schedule, records[i],
				later ? SCHEDULE_LATER : SCHEDULE_DONE, later ? 1 : 0);
	}
	return NULL;
}

static struct record *make(int64_t number)
{
	const char lane = (char)(number % LANES), tenant = (char)(lane % TENANTS);

	return schedule_record(
		(struct str){ &tenant, 1 }, STR("v"), STR(""), (struct str){ &lane, 1 });
}

static void feed(struct schedule *schedule, struct partition *partition)
{
	for (int64_t offset = 1; offset <= RECORDS;) {
		if (schedule_is_full(schedule, partition)) {
			sched_yield();
			continue;
		}
		struct record *record = make(offset);
		record->partition = partition;
		record->offset = offset;
		record->route = offset % 5 == 0 ? &work : &txn;
		schedule_add(schedule, record);
		offset++;
	}
}

START_TEST(a_crowd_keeps_every_lane_in_order)
{
	struct crowd *crowd = calloc(1, sizeof *crowd);
	pthread_t threads[WORKERS];

	crowd->schedule = schedule_new();
	struct partition *partition = schedule_assign(crowd->schedule, SOURCE_LOG, "topic", 0, 1);
	for (int i = 0; i < WORKERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, crowd_work, crowd), 0);
	feed(crowd->schedule, partition);
	int64_t mark = 0;
	while (mark <= RECORDS) {
		int64_t now = schedule_watermark(crowd->schedule, partition);
		ck_assert_int_ge(now, mark);
		mark = now;
		sched_yield();
	}
	schedule_stop(crowd->schedule);
	for (int i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_int_eq(crowd->handled, RECORDS);
	ck_assert_int_eq(crowd->wrong, 0);
	schedule_free(crowd->schedule);
	free(crowd);
}
END_TEST

/* Forgets loaded rows, and looks, while others work. */
static void meddle(struct crowd *crowd)
{
	struct schedule_view view;

	for (int n = 0; n < LANES; n += 3) {
		const char lane = (char)n;
		if (schedule_is_loaded(crowd->schedule, (struct str){ &lane, 1 }))
			schedule_drop_lane_parked(crowd->schedule, (struct str){ &lane, 1 });
	}
	schedule_look(crowd->schedule, &view);
	ck_assert_uint_le(view.tenants, TENANTS);
}

/* Rebalances under load, with every kind of source: nothing is freed under a worker's hands. */
START_TEST(a_crowd_survives_rebalances)
{
	struct crowd *crowd = calloc(1, sizeof *crowd);
	pthread_t threads[WORKERS];

	crowd->schedule = schedule_new();
	for (int i = 0; i < LANES; i++)
		crowd->last[i] = INT64_MIN;
	for (int i = 0; i < WORKERS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, crowd_work, crowd), 0);
	for (int round = 0; round < 50; round++) {
		struct partition *partition = schedule_assign(
			crowd->schedule, (enum source_kind)(round % 3), "topic", 0, round);
		for (int64_t n = 0; n < 200; n++) {
			struct record *record = make(n);
			record->partition = partition;
			record->offset = round * 200 * LANES + n / LANES * LANES + n % LANES;
			record->route = n % 3 == 0 ? &work : &txn;
			schedule_add(crowd->schedule, record);
		}
		meddle(crowd);
		schedule_revoke(crowd->schedule);
	}
	schedule_stop(crowd->schedule);
	for (int i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	struct schedule_view view;
	schedule_look(crowd->schedule, &view);
	ck_assert_uint_eq(view.records, 0);
	ck_assert_int_eq(crowd->wrong, 0);
	schedule_free(crowd->schedule);
	free(crowd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("schedule_crowd");
	TCase *tcase = tcase_create("schedule_crowd");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, a_crowd_keeps_every_lane_in_order);
	tcase_add_test(tcase, a_crowd_survives_rebalances);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
