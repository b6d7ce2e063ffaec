#include "frame/metrics_process.h"

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

static double value_of(const struct buf *text, const char *name)
{
	const char *at = strstr(text->ptr, name);

	ck_assert_msg(at != NULL, "%s", name);
	return strtod(at + strlen(name), NULL);
}

START_TEST(tells_about_the_process)
{
	struct metrics *metrics = metrics_new();
	struct buf text = BUF(1 << 16), again = BUF(1 << 16);

	metrics_process_register(metrics, "0.1.0", "intake");
	metrics_write(metrics, METRICS_TEXT, &text);
	ck_assert_ptr_nonnull(
		strstr(text.ptr, "\nesteira_build_info{version=\"0.1.0\",service=\"intake\"} 1\n"));
	double resident = value_of(&text, "\nprocess_resident_memory_bytes ");
	ck_assert(resident > 100e3 && resident < 100e9);
	double start = value_of(&text, "\nprocess_start_time_seconds ");
	double now = (double)clock_wall_ms() / 1000;
	ck_assert(start <= now + 0.1 && start > now - 100);
	double cpu = value_of(&text, "\nprocess_cpu_seconds_total ");
	ck_assert(cpu > 0 && cpu < 100);

	double fds = value_of(&text, "\nprocess_open_fds ");
	int fd = open("/dev/null", O_RDONLY);
	for (volatile int i = 0; i < 20000000; i++)
		;
	metrics_write(metrics, METRICS_TEXT, &again);
	close(fd);
	ck_assert(value_of(&again, "\nprocess_open_fds ") == fds + 1);
	ck_assert(value_of(&again, "\nprocess_cpu_seconds_total ") > cpu);
	buf_done(&text);
	buf_done(&again);
	metrics_free(metrics);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("metrics_process");
	TCase *tcase = tcase_create("process");

	tcase_add_test(tcase, tells_about_the_process);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
