#include "frame/metrics.h"

#include <check.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define LABELS(...)  ((const char *const[]){ __VA_ARGS__ })

static const struct metrics_spec records = { METRICS_COUNTER, "esteira_records_total",
	"Records \"handled\"\nby C:\\route.", { "route", "outcome" } };
static const struct metrics_spec held = { METRICS_GAUGE, "esteira_held", "Held." };
static const double halves[] = { 0.5, 1, 2500000 };
static const struct metrics_spec work = { METRICS_HISTOGRAM, "esteira_work_seconds", "Work.",
	{ "route" }, halves, COUNT(halves) };
static const struct metrics_spec plain = { METRICS_HISTOGRAM, "esteira_wait_seconds", "Wait." };

static struct metrics *metrics;
static struct buf text;

static void setup(void)
{
	metrics = metrics_new();
	text = BUF(1 << 20);
}

static void teardown(void)
{
	metrics_free(metrics);
	buf_done(&text);
}

static const char *written(enum metrics_format format)
{
	buf_clear(&text);
	metrics_write(metrics, format, &text);
	ck_assert(buf_check(&text).kind == ERR_OK);
	return text.len == 0 ? "" : text.ptr;
}

static void fill(void)
{
	struct metric *counter = metrics_register(metrics, &records);
	struct metric *gauge = metrics_register(metrics, &held);
	struct metric *histogram = metrics_register(metrics, &work);

	metrics_add(counter, LABELS("a", "ok"), 2);
	metrics_add(counter, LABELS("a", "ok"), 1);
	metrics_add(counter, LABELS("x\"\\\ny", "\xc3\xa7"), 0);
	metrics_set(gauge, NULL, 1.5);
	metrics_add(gauge, NULL, -3);
	metrics_observe(histogram, LABELS("a"), 0.5);
	metrics_observe(histogram, LABELS("a"), 0.75);
	metrics_observe(histogram, LABELS("a"), 1e9);
}

#define SAMPLES_COUNTER                                                                            \
	"esteira_records_total{route=\"a\",outcome=\"ok\"} 3\n"                                    \
	"esteira_records_total{route=\"x\\\"\\\\\\ny\",outcome=\"\xc3\xa7\"} 0\n"
#define SAMPLES_REST                                                                               \
	"# HELP esteira_held Held.\n"                                                              \
	"# TYPE esteira_held gauge\n"                                                              \
	"esteira_held -1.5\n"                                                                      \
	"# HELP esteira_work_seconds Work.\n"                                                      \
	"# TYPE esteira_work_seconds histogram\n"                                                  \
	"esteira_work_seconds_bucket{route=\"a\",le=\"0.5\"} 1\n"                                  \
	"esteira_work_seconds_bucket{route=\"a\",le=\"1.0\"} 2\n"                                  \
	"esteira_work_seconds_bucket{route=\"a\",le=\"2500000.0\"} 2\n"                            \
	"esteira_work_seconds_bucket{route=\"a\",le=\"+Inf\"} 3\n"                                 \
	"esteira_work_seconds_sum{route=\"a\"} 1000000001.25\n"                                    \
	"esteira_work_seconds_count{route=\"a\"} 3\n"

START_TEST(writes_text)
{
	fill();
	ck_assert_str_eq(written(METRICS_TEXT),
		"# HELP esteira_records_total Records \"handled\"\\nby C:\\\\route.\n"
		"# TYPE esteira_records_total counter\n" SAMPLES_COUNTER SAMPLES_REST);
}
END_TEST

START_TEST(writes_openmetrics)
{
	fill();
	ck_assert_str_eq(written(METRICS_OPENMETRICS),
		"# HELP esteira_records Records \\\"handled\\\"\\nby C:\\\\route.\n"
		"# TYPE esteira_records counter\n" SAMPLES_COUNTER SAMPLES_REST "# EOF\n");
}
END_TEST

START_TEST(writes_empty)
{
	ck_assert_str_eq(written(METRICS_TEXT), "");
	ck_assert_str_eq(written(METRICS_OPENMETRICS), "# EOF\n");
	metrics_register(metrics, &records);
	ck_assert_str_eq(written(METRICS_TEXT), "");
	metrics_register(metrics, &held);
	metrics_register(metrics, &plain);
	ck_assert_ptr_nonnull(strstr(written(METRICS_TEXT), "\nesteira_held 0\n"));
	ck_assert_ptr_nonnull(strstr(text.ptr, "esteira_wait_seconds_bucket{le=\"0.001\"} 0\n"));
	ck_assert_ptr_nonnull(strstr(text.ptr, "esteira_wait_seconds_bucket{le=\"60.0\"} 0\n"));
	ck_assert_ptr_nonnull(strstr(text.ptr, "\nesteira_wait_seconds_count 0\n"));
}
END_TEST

START_TEST(writes_numbers)
{
	static const struct {
		double value;
		const char *written;
	} rows[] = {
		{ 0, "0" },
		{ -0.0, "-0" },
		{ 0.1, "0.1" },
		{ 1.0 / 3, "0.3333333333333333" },
		{ 1e21, "1e+21" },
		{ 123456789012345678.0, "1.2345678901234568e+17" },
		{ 5e-324, "4.94065645841247e-324" },
		{ INFINITY, "+Inf" },
		{ -INFINITY, "-Inf" },
		{ NAN, "NaN" },
	};
	struct metric *gauge = metrics_register(metrics, &held);

	for (size_t i = 0; i < COUNT(rows); i++) {
		metrics_set(gauge, NULL, rows[i].value);
		const char *at = strstr(written(METRICS_TEXT), "\nesteira_held ");
		ck_assert_ptr_nonnull(at);
		at += sizeof "\nesteira_held " - 1;
		ck_assert(str_eq((struct str){ at, strcspn(at, "\n") }, str_of(rows[i].written)));
	}
}
END_TEST

START_TEST(observes_at_the_bounds)
{
	static const struct {
		double value;
		int buckets[4];
	} rows[] = {
		{ -1, { 1, 1, 1, 1 } },
		{ 0.5, { 1, 1, 1, 1 } },
		{ 0.50001, { 0, 1, 1, 1 } },
		{ 1, { 0, 1, 1, 1 } },
		{ 2500001, { 0, 0, 0, 1 } },
		{ INFINITY, { 0, 0, 0, 1 } },
		{ NAN, { 0, 0, 0, 1 } },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct metrics *one = metrics_new();
		struct buf got = BUF(4096);
		const char *at;

		metrics_observe(metrics_register(one, &work), LABELS("r"), rows[i].value);
		metrics_write(one, METRICS_TEXT, &got);
		at = got.ptr;
		for (size_t k = 0; k < 4; k++) {
			at = strstr(at, "_bucket{");
			ck_assert_ptr_nonnull(at);
			at = strstr(at, "} ") + 2;
			ck_assert_int_eq(*at - '0', rows[i].buckets[k]);
		}
		buf_done(&got);
		metrics_free(one);
	}
}
END_TEST

static size_t lines_with(const char *word)
{
	size_t count = 0;

	for (const char *at = text.ptr; (at = strstr(at, word)) != NULL; at++)
		count++;
	return count;
}

/* A label that an attacker can choose costs 201 series, and no count is lost. */
START_TEST(caps_children)
{
	struct metric *counter = metrics_register(metrics, &records);
	char value[32];

	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 1000; i++) {
			snprintf(value, sizeof value, "v%d", i);
			metrics_add(counter, LABELS(value, "ok"), 1);
		}
	}
	written(METRICS_TEXT);
	ck_assert_uint_eq(lines_with("esteira_records_total{"), METRICS_CHILDREN_MAX + 1);
	ck_assert_ptr_nonnull(strstr(text.ptr, "{route=\"v199\",outcome=\"ok\"} 2\n"));
	ck_assert_ptr_nonnull(strstr(text.ptr, "{route=\"other\",outcome=\"other\"} 1600\n"));
}
END_TEST

START_TEST(cleans_values)
{
	static char longest[METRICS_VALUE_BYTES + 1], fits[METRICS_VALUE_BYTES];
	struct metric *counter = metrics_register(metrics, &records);

	memset(longest, 'x', sizeof longest - 1);
	memset(fits, 'y', sizeof fits - 1);
	metrics_add(counter, LABELS("\xff", "\xc3"), 1);
	metrics_add(counter, LABELS(longest, "other"), 1);
	metrics_add(counter, LABELS(NULL, fits), 1);
	written(METRICS_TEXT);
	ck_assert_ptr_nonnull(strstr(text.ptr, "{route=\"other\",outcome=\"other\"} 2\n"));
	ck_assert_ptr_nonnull(strstr(text.ptr, "{route=\"\",outcome=\"yyyy"));
	ck_assert_uint_eq(lines_with("esteira_records_total{"), 2);
}
END_TEST

START_TEST(registers_once)
{
	struct metric *first = metrics_register(metrics, &records);

	metrics_add(first, LABELS("a", "b"), 1);
	ck_assert_ptr_eq(metrics_register(metrics, &records), first);
	metrics_add(NULL, NULL, 1);
	metrics_set(NULL, NULL, 1);
	metrics_observe(NULL, NULL, 1);
	metrics_free(NULL);
}
END_TEST

static double read_level(void *arg)
{
	return *(double *)arg;
}

START_TEST(watches)
{
	static const struct metrics_spec lag = { METRICS_GAUGE, "esteira_lag", "Lag.", { "part" } };
	double levels[] = { 7, 8 };
	struct metric *gauge = metrics_register(metrics, &lag);

	metrics_watch(gauge, LABELS("0"), read_level, &levels[0]);
	metrics_watch(gauge, LABELS("1"), read_level, &levels[1]);
	ck_assert_ptr_nonnull(strstr(written(METRICS_TEXT), "esteira_lag{part=\"0\"} 7\n"));
	levels[1] = 0.25;
	ck_assert_ptr_nonnull(strstr(written(METRICS_TEXT), "esteira_lag{part=\"1\"} 0.25\n"));
}
END_TEST

START_TEST(keeps_the_ceiling)
{
	struct buf small = BUF(100);

	fill();
	metrics_write(metrics, METRICS_TEXT, &small);
	ck_assert(err_is(buf_check(&small), ERR_CODE_RECORD_TOO_LARGE));
	buf_done(&small);
}
END_TEST

START_TEST(negotiates)
{
	static const struct {
		const char *accept;
		enum metrics_format format;
	} rows[] = {
		{ "", METRICS_TEXT },
		{ "*/*", METRICS_TEXT },
		{ "text/plain;version=0.0.4", METRICS_TEXT },
		{ "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.3",
			METRICS_OPENMETRICS },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		ck_assert_int_eq(metrics_write_format(str_of(rows[i].accept)), rows[i].format);
	ck_assert_ptr_nonnull(strstr(metrics_write_type(METRICS_TEXT), "version=0.0.4"));
	ck_assert_ptr_nonnull(strstr(metrics_write_type(METRICS_OPENMETRICS), "1.0.0"));
}
END_TEST

/* Where the prometheus package is installed, its own parser is asked too. */
START_TEST(promtool_takes_it)
{
	static const char path[] = "/usr/bin/promtool";
	int ends[2], status = 0;

	if (access(path, X_OK) != 0)
		return;
	fill();
	written(METRICS_TEXT);
	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(write(ends[1], text.ptr, text.len), (ssize_t)text.len);
	close(ends[1]);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(ends[0], STDIN_FILENO);
		execl(path, "promtool", "check", "metrics", NULL);
		_exit(127);
	}
	close(ends[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	/* 3 is a matter of taste */
	ck_assert(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 3));
}
END_TEST

/* --- threads --- */

enum { THREADS = 8, ROUNDS = 20000 };

static void *count(void *arg)
{
	struct metrics *shared = arg;
	struct metric *counter = metrics_register(shared, &records);
	struct metric *gauge = metrics_register(shared, &held);
	struct metric *histogram = metrics_register(shared, &work);

	for (int i = 0; i < ROUNDS; i++) {
		char value[16];

		snprintf(value, sizeof value, "v%d", i % 400);
		metrics_add(counter, LABELS(value, "ok"), 1);
		metrics_add(gauge, NULL, 1);
		metrics_observe(histogram, LABELS("a"), 0.25);
	}
	return NULL;
}

static uint64_t sum_of(const char *prefix)
{
	uint64_t sum = 0;

	for (const char *at = text.ptr; (at = strstr(at, prefix)) != NULL; at++)
		sum += strtoull(strstr(at, "} ") + 2, NULL, 10);
	return sum;
}

START_TEST(counts_from_all_threads)
{
	pthread_t threads[THREADS];
	uint64_t last = 0;

	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, count, metrics);
	for (int i = 0; i < 50; i++) {
		written(METRICS_TEXT);
		uint64_t now = text.len == 0 ? 0 : sum_of("\nesteira_records_total{");
		ck_assert_uint_ge(now, last);
		last = now;
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	written(METRICS_TEXT);
	ck_assert_uint_eq(sum_of("\nesteira_records_total{"), THREADS * ROUNDS);
	ck_assert_uint_eq(sum_of("\nesteira_work_seconds_count{"), THREADS * ROUNDS);
	ck_assert_uint_eq(sum_of("\nesteira_work_seconds_sum{"), THREADS * ROUNDS / 4);
	ck_assert_ptr_nonnull(strstr(text.ptr, "\nesteira_held 160000\n"));
	ck_assert_uint_eq(lines_with("\nesteira_records_total{"), METRICS_CHILDREN_MAX + 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("metrics");
	TCase *tcase = tcase_create("metrics");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 30);
	tcase_add_test(tcase, writes_text);
	tcase_add_test(tcase, writes_openmetrics);
	tcase_add_test(tcase, writes_empty);
	tcase_add_test(tcase, writes_numbers);
	tcase_add_test(tcase, observes_at_the_bounds);
	tcase_add_test(tcase, caps_children);
	tcase_add_test(tcase, cleans_values);
	tcase_add_test(tcase, registers_once);
	tcase_add_test(tcase, watches);
	tcase_add_test(tcase, keeps_the_ceiling);
	tcase_add_test(tcase, negotiates);
	tcase_add_test(tcase, promtool_takes_it);
	tcase_add_test(tcase, counts_from_all_threads);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
