/*
 * The zygote's life and death: it is replaced when it dies, its documents are read again, and it
 * goes when its process goes.
 */
#include "jailer.h"

#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "document_rig.h"

/* Dead for certain, but the jailer has not seen it yet. */
static void kill_zygote(struct document_reader *reader)
{
	siginfo_t info;

	kill(reader->jailer.pid, SIGKILL);
	ck_assert_int_eq(waitid(P_PID, (id_t)reader->jailer.pid, &info, WEXITED | WNOWAIT), 0);
}

START_TEST(test_dead_zygote_is_replaced)
{
	struct document_reader *reader = open_reader((struct document_conf){ .pages_max = 0 });
	int fd = page_of("595 842", sentence);

	for (unsigned i = 1; i <= 2; i++) {
		kill_zygote(reader);
		struct document document = read_fd(reader, fd);
		ck_assert_int_eq(document.outcome, ERR_CODE_NONE);
		ck_assert_uint_eq(document_jail_restarts(reader), i);
		document_done(&document);
	}
	close(fd);
	document_close(reader);
}
END_TEST

START_TEST(test_zygote_dies_too_often)
{
	struct document_reader *reader = open_reader((struct document_conf){ .pages_max = 0 });

	for (int i = 0; i < JAILER_RESTARTS_MAX; i++) {
		kill_zygote(reader);
		struct err e = document_probe(reader, clock_mono_ms() + FAR_MS);
		ck_assert_msg(e.kind == ERR_OK, "%s", e.msg);
	}
	kill_zygote(reader);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(document_probe(reader, clock_mono_ms() + FAR_MS).kind, ERR_FATAL);
	document_close(reader);
}
END_TEST

/* Kills the zygote when the first page is told, with pages still to be recognised. */
struct killer {
	struct document_reader *reader;
	unsigned told;
	unsigned times[6];
};

static void kill_at_page(void *arg, const struct document_page *page, unsigned pages_total)
{
	struct killer *killer = arg;

	ck_assert_uint_eq(pages_total, 5);
	killer->times[page->number]++;
	if (killer->told++ == 0)
		kill_zygote(killer->reader);
}

/* Costs nothing but time; no page is told twice. */
START_TEST(test_zygote_dies_between_pages)
{
	static const char *const contents[] = { sentence, one_word, sentence, one_word, one_word };
	struct document_reader *reader = open_reader((struct document_conf){ .recognisers = 1 });
	struct killer killer = { .reader = reader };
	int fd = pdf_of("400 842", contents, 5);
	const struct document_job job = { fd, clock_mono_ms() + FAR_MS, kill_at_page, &killer };
	struct document document;

	struct err e = document_read(reader, &job, &document);
	ck_assert_msg(e.kind == ERR_OK, "%s", e.msg);
	ck_assert_int_eq(document.outcome, ERR_CODE_NONE);
	for (unsigned page = 1; page <= 5; page++)
		ck_assert_uint_eq(killer.times[page], 1);
	document_done(&document);
	close(fd);
	document_close(reader);
}
END_TEST

/* Kills one zygote after the other as soon as a child of it has run for a while. */
struct hunter {
	struct document_reader *reader;
	unsigned kills;
};

static int zygote_of(struct document_reader *reader)
{
	pthread_mutex_lock(&reader->jailer.lock);
	int pid = reader->jailer.pid;
	pthread_mutex_unlock(&reader->jailer.lock);
	return pid;
}

static void *hunt(void *arg)
{
	const struct hunter *hunter = arg;
	int victim = -1;

	for (unsigned i = 0; i < hunter->kills; i++) {
		char seen[CHILDREN_TEXT] = "", now[CHILDREN_TEXT] = "";
		for (int64_t since_ms = clock_mono_ms(); clock_mono_ms() - since_ms < 300;) {
			victim = zygote_of(hunter->reader);
			children_of(victim, now);
			if (now[0] == '\0' || strcmp(now, seen) != 0)
				since_ms = clock_mono_ms();
			memcpy(seen, now, sizeof seen);
		}
		kill(victim, SIGKILL);
	}
	return NULL;
}

/* Once is our own fault, and the document is read again; with the second death it has to end. */
START_TEST(test_zygote_dies_while_reading)
{
	struct document_reader *reader = open_reader((struct document_conf){ .cpu_s = 2 });
	struct hunter hunter = { reader, (unsigned)_i };
	int fd = endless();
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, hunt, &hunter), 0);
	struct document document = read_fd(reader, fd);
	pthread_join(thread, NULL);
	ck_assert_str_eq(err_code_name(document.outcome), _i < 2 ? "resource_limit" : "internal");
	document_done(&document);
	close(fd);
	fd = page_of("595 842", sentence);
	document = read_fd(reader, fd);
	ck_assert_int_eq(document.outcome, ERR_CODE_NONE);
	ck_assert_uint_eq(document_jail_restarts(reader), (unsigned)_i);
	document_done(&document);
	close(fd);
	document_close(reader);
}
END_TEST

static void say(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

/* A zygote that dies before it is ready is one more death, and no reason to end the worker. */
START_TEST(test_zygote_dies_while_starting)
{
	char folder[] = "/tmp/jailer-XXXXXX", word[64], program[64], script[PATH_MAX + 256];
	struct document_reader *reader;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(word, sizeof word, "%s/word", folder);
	snprintf(program, sizeof program, "%s/program", folder);
	snprintf(script, sizeof script,
		"#!/bin/sh\nread word <%s\nif [ \"$word\" = die ]; then echo live >%s; exit 1; fi\n"
		"exec %s \"$@\"\n",
		word, word, jail_path());
	say(program, script, 0700);
	say(word, "live\n", 0600);
	const struct document_conf conf = { .jail_path = program,
		.jail = DOCUMENT_JAIL_BEST_EFFORT };
	ck_assert_int_eq(document_open(&conf, &reader).kind, ERR_OK);
	kill_zygote(reader);
	say(word, "die\n", 0600);
	struct err e = document_probe(reader, clock_mono_ms() + FAR_MS);
	ck_assert_msg(e.kind == ERR_OK, "%s", e.msg);
	ck_assert_uint_eq(document_jail_restarts(reader), 2);
	document_close(reader);
	unlink(word);
	unlink(program);
	rmdir(folder);
}
END_TEST

static void *open_in_thread(void *arg)
{
	*(struct document_reader **)arg = open_reader((struct document_conf){ .pages_max = 0 });
	return NULL;
}

/* The zygote does not care which thread started it, nor whether that one still lives. */
START_TEST(test_zygote_outlives_a_thread)
{
	struct document_reader *reader;
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, open_in_thread, &reader), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_int_eq(document_probe(reader, clock_mono_ms() + FAR_MS).kind, ERR_OK);
	ck_assert_uint_eq(document_jail_restarts(reader), 0);
	document_close(reader);
}
END_TEST

/* The zygote goes when the process that started it goes, however that happens. */
START_TEST(test_zygote_dies_with_its_parent)
{
	int news[2], pid;

	ck_assert_int_eq(pipe(news), 0);
	pid_t child = fork();
	if (child == 0) {
		struct document_reader *reader =
			open_reader((struct document_conf){ .pages_max = 0 });
		if (write(news[1], &reader->jailer.pid, sizeof pid) != sizeof pid)
			_exit(1);
		raise(SIGKILL);
	}
	ck_assert_int_eq(read(news[0], &pid, sizeof pid), sizeof pid);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
	for (int64_t until_ms = clock_mono_ms() + 5000; kill(pid, 0) == 0;) {
		char path[64], state[512] = "";
		snprintf(path, sizeof path, "/proc/%d/stat", pid);
		FILE *file = fopen(path, "r");
		size_t len = file == NULL ? 0 : fread(state, 1, sizeof state - 1, file);
		if (file != NULL)
			fclose(file);
		if (len == 0 || strstr(state, ") Z ") != NULL)
			break; /* gone, or waiting for a reaper that is not ours */
		ck_assert_int_lt(clock_mono_ms(), until_ms);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ocr/jailer");
	TCase *tcase = tcase_create("jailer");

	tcase_add_test(tcase, test_dead_zygote_is_replaced);
	tcase_add_test(tcase, test_zygote_dies_too_often);
	tcase_add_test(tcase, test_zygote_dies_between_pages);
	tcase_add_loop_test(tcase, test_zygote_dies_while_reading, 0, 3);
	tcase_add_test(tcase, test_zygote_dies_while_starting);
	tcase_add_test(tcase, test_zygote_outlives_a_thread);
	tcase_add_test(tcase, test_zygote_dies_with_its_parent);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
