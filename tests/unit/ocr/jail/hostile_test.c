/*
 * A document has taken its child over: what can that child do? The worker's side, the zygote and
 * the cages are the real ones; only what runs inside is not poppler or Tesseract but
 * hostile_rows.h: this file stands in for jail/reader.c and jail/recognise.c, and is its own
 * esteira-ocr-jail. Each attempt's errno or signal is seen as the worker sees it, in the report.
 */
#include <check.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

#include "child.h"
#include "jail/cage.h"
#include "jail/reader.h"
#include "jail/recognise.h"
#include "jail/zygote.h"
#include "jailer.h"

#include "hostile_rows.h"

enum { SHORT_S = 1, LONG_S = 20, OUTPUT_MAX_BYTES = 1 << 20, FAR_MS = 60000 };

/* --- inside of the jail --- */

/* Beside this program. */
static const char *beside(const char *name)
{
	static char path[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", path, sizeof path - 64);

	if (len <= 0)
		abort();
	path[len] = '\0';
	char *base = strrchr(path, '/') + 1;
	snprintf(base, (size_t)(path + sizeof path - base), "%s", name);
	return path;
}

static char program[PATH_MAX]; /* set before the zygote forks: a caged child cannot ask */

const char *reader_program(enum jail_task task)
{
	return task == JAIL_RECOGNISE ? NULL : program;
}

bool reader_check(void)
{
	return access(program, X_OK) == 0;
}

void reader_become(const struct jail_request *request)
{
	char row[16];

	snprintf(row, sizeof row, "%u", request->page_first - 1);
	execve(program, (char *[]){ "hostile", row, NULL }, (char *[]){ NULL });
}

int recognise_page(struct engine *engine, const struct jail_request *request)
{
	(void)engine;
	return hostile_rows[request->page_first - 1].attempt();
}

/* What jail/main.c does, without the model. */
static int be_the_zygote(void)
{
	const struct jail_hello hello = { JAIL_MAGIC, JAIL_FAULT_NONE, cage_missing() };
	struct zygote *zygote = zygote_new(JAIL_SOCKET_FD, NULL, hello.missing == 0);

	if (zygote == NULL || send(JAIL_SOCKET_FD, &hello, sizeof hello, MSG_NOSIGNAL) < 0)
		return 1;
	return zygote_serve(zygote);
}

/* --- outside --- */

/* A sanitizer's shadow is terabytes, so the cage leaves that limit out. */
extern void __asan_init(void) __attribute__((weak));
extern void __tsan_init(void) __attribute__((weak));

static bool sanitized(void)
{
	return __asan_init != NULL || __tsan_init != NULL;
}

static struct jailer jailer;
static int document_fd;

static void set_up(void)
{
	int fd = open(HOSTILE_SECRET, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "secret", 6), 6);
	close(fd);
	document_fd = memfd_create("document", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	ck_assert_int_eq(write(document_fd, "%PDF-1.4", 8), 8);
	ck_assert_int_eq(fcntl(document_fd, F_ADD_SEALS,
				 F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL),
		0);
	struct err e = jailer_start(beside("test-ocr-jail-hostile"), false, &jailer);
	ck_assert_msg(e.kind == ERR_OK, "%s", e.msg);
	ck_assert_msg(jailer.missing == 0, "this kernel has no landlock or no seccomp");
}

static void tear_down(void)
{
	jailer_stop(&jailer);
	close(document_fd);
	unlink(HOSTILE_SECRET);
}

/* How many processes the zygote has. */
static int children_left(void)
{
	char path[64], text[4096] = "";
	int count = 0;

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", jailer.pid, jailer.pid);
	FILE *file = fopen(path, "re");
	ck_assert_ptr_nonnull(file);
	size_t len = fread(text, 1, sizeof text - 1, file);
	fclose(file);
	for (size_t i = 0; i < len; i++)
		count += text[i] == ' ';
	return count;
}

static void drop(void *arg, struct str bytes)
{
	*(size_t *)arg += bytes.len;
}

/* One attempt to its end; the child as the worker has it then. */
static struct child run(enum jail_task task, size_t row)
{
	int by = (int)hostile_rows[row].by;
	const struct jail_request request = { .task = task,
		.page_first = (uint32_t)row + 1,
		.page_last = (uint32_t)row + 1,
		.dpi = 1,
		.cpu_s = by == BY_WORKER || by == BY_EITHER ? SHORT_S : LONG_S,
		.memory_bytes = HOSTILE_MEMORY_BYTES };
	size_t said = 0;
	const struct child_wiring wiring = { document_fd, -1, OUTPUT_MAX_BYTES, drop, &said };
	struct child child = { .busy = false };
	int64_t until_ms = clock_mono_ms() + FAR_MS;

	struct err e = child_start(&jailer, &request, &wiring, &child);
	while (e.kind == ERR_OK && child.busy && clock_mono_ms() < until_ms)
		e = child_wait((struct child *const[]){ &child }, 1, -1, until_ms);
	ck_assert_msg(e.kind == ERR_OK, "%s: %s", hostile_rows[row].name, e.msg);
	ck_assert_msg(!child.busy, "%s: still there", hostile_rows[row].name);
	ck_assert_uint_le(said, OUTPUT_MAX_BYTES);
	return child;
}

static int ending(const struct child *child)
{
	int status = child->report.status;

	return status < 0	     ? 1000 - status
	       : WIFSIGNALED(status) ? -WTERMSIG(status)
				     : WEXITSTATUS(status);
}

static void try_row(enum jail_task task, size_t row, int expected)
{
	enum err_code outcome = ERR_CODE_NONE;
	int64_t began_ms = clock_mono_ms();
	struct child child = run(task, row);
	int64_t gone_by_ms = clock_mono_ms() + FAR_MS;

	ck_assert_int_eq(child_outcome(&child, &outcome).kind, ERR_OK);
	ck_assert_int_ne(outcome, ERR_CODE_NONE); /* it is never taken for a success */
	if (hostile_rows[row].by == BY_WORKER ||
		(hostile_rows[row].by == BY_EITHER && child.cut_off)) {
		ck_assert_msg(child.cut_off, "%s: not cut off", hostile_rows[row].name);
		ck_assert_int_eq(outcome, ERR_CODE_RESOURCE_LIMIT);
	} else {
		ck_assert_msg(ending(&child) == expected, "%s: ended by %d instead of %d",
			hostile_rows[row].name, ending(&child), expected);
	}
	/* nothing outlives it: by the end of its time the zygote is alone again */
	while (children_left() > 0) {
		ck_assert_msg(clock_mono_ms() < gone_by_ms, "%s: a process is left",
			hostile_rows[row].name);
		usleep(1000);
	}
	/* a second of CPU time is three of the clock, and then some for a busy machine */
	ck_assert_int_lt(clock_mono_ms() - began_ms, FAR_MS);
	ck_assert_int_eq((int)jailer.restarts, 0);
	ck_assert_int_ne(access(HOSTILE_FILE, F_OK), 0);
	ck_assert_int_eq(access(HOSTILE_SECRET, F_OK), 0);
}

START_TEST(a_reader_can_not)
{
	try_row(JAIL_INVENTORY, (size_t)_i, hostile_rows[_i].reader);
}
END_TEST

START_TEST(a_recogniser_can_not)
{
	try_row(JAIL_RECOGNISE, (size_t)_i, hostile_rows[_i].recogniser);
}
END_TEST

/* The attempts are real: outside of a cage they go through or fail for another reason. */
START_TEST(outside_of_the_jail_they_can)
{
	static int (*const attempts[])(void) = { hostile_inet, hostile_unix, hostile_netlink,
		hostile_passwd, hostile_environ, hostile_seal_master, hostile_old_open,
		hostile_create, hostile_symlink, hostile_mkdir, hostile_kill_group, hostile_memfd,
		hostile_mmap, hostile_mremap, hostile_dup, hostile_dumpable,
		hostile_keep_after_parent };

	for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
		ck_assert_msg(attempts[i]() == HOSTILE_OPEN, "attempt %zu", i);
		unlink(HOSTILE_FILE);
		rmdir(HOSTILE_FILE);
	}
}
END_TEST

/* When the worker lets go, a child that ignores everything is gone. */
START_TEST(letting_go_kills)
{
	const struct jail_request request = { .task = JAIL_INVENTORY,
		.page_first = 1,
		.page_last = 1,
		.dpi = 1,
		.cpu_s = 3600,
		.memory_bytes = HOSTILE_MEMORY_BYTES };
	struct jail_request sleepers[] = { request, request };
	const struct child_wiring wiring = { document_fd, -1, OUTPUT_MAX_BYTES, drop, NULL };
	struct child children[2] = { 0 };
	int64_t until_ms = clock_mono_ms() + FAR_MS;

	sleepers[1].task = JAIL_RECOGNISE;
	for (uint32_t row = 0; row < HOSTILE_ROWS; row++)
		if (hostile_rows[row].attempt == hostile_sleep)
			sleepers[0].page_first = sleepers[0].page_last = sleepers[1].page_first =
				sleepers[1].page_last = row + 1;
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(
			child_start(&jailer, &sleepers[i], &wiring, &children[i]).kind, ERR_OK);
	while (children_left() < 2) {
		ck_assert_int_lt(clock_mono_ms(), until_ms);
		usleep(1000);
	}
	child_stop(&children[0]);
	child_stop(&children[1]);
	while (children_left() > 0) {
		ck_assert_int_lt(clock_mono_ms(), until_ms);
		usleep(1000);
	}
}
END_TEST

int main(int argc, char **argv)
{
	snprintf(program, sizeof program, "%s", beside("jail_hostile"));
	if (argc == 2 && strcmp(argv[1], "best-effort") == 0)
		return be_the_zygote();
	Suite *suite = suite_create("ocr/jail/hostile");
	TCase *tcase = tcase_create("hostile");
	const int rows = HOSTILE_ROWS - (sanitized() ? HOSTILE_PLAIN : 0);

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(tcase, a_reader_can_not, 0, rows);
	tcase_add_loop_test(tcase, a_recogniser_can_not, 0, rows);
	tcase_add_test(tcase, outside_of_the_jail_they_can);
	tcase_add_test(tcase, letting_go_kills);
	tcase_set_timeout(tcase, 90);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
