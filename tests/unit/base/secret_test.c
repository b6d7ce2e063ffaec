#include "base/secret.h"

#include <check.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static char folder[64];

static const char *in_folder(const char *name)
{
	static char paths[4][128];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof paths[0], "%s/%s", folder, name);
	return path;
}

static void make_folder(void)
{
	snprintf(folder, sizeof folder, "/tmp/esteira-secret-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
}

static int remove_one(const char *path, const struct stat *status, int flag, struct FTW *at)
{
	(void)status, (void)flag, (void)at;
	return remove(path);
}

static void remove_folder(void)
{
	ck_assert_int_eq(nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static void write_file(const char *name, const void *bytes, size_t len)
{
	int fd = open(in_folder(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq((int)write(fd, bytes, len), (int)len);
	close(fd);
}

static void write_text(const char *name, const char *text)
{
	write_file(name, text, strlen(text));
}

static struct secret *opened(struct secret_conf conf)
{
	struct secret *secret = NULL;
	struct err e = secret_open(&conf, &secret);

	ck_assert_msg(e.kind == ERR_OK, "%s", e.msg);
	return secret;
}

static void ck_value(struct secret *secret, const char *text, uint64_t generation)
{
	char bytes[SECRET_BYTES];
	uint64_t got = 0;

	ck_assert_uint_eq(secret_copy(secret, bytes, &got), strlen(text));
	ck_assert_str_eq(bytes, text);
	ck_assert_uint_eq(got, generation);
}

START_TEST(reads_what_is_there)
{
	static const struct {
		const char *bytes;
		size_t len;
		bool is_binary;
		const char *value; /* NULL: refused */
		size_t value_len;
	} rows[] = {
		{ "pass", 4, false, "pass", 4 }, { "pass\n", 5, false, "pass", 4 },
		{ "pass\r\n\n", 7, false, "pass", 4 },
		{ " two\nlines \n", 12, false, " two\nlines ", 11 },
		{ "pass\n", 5, true, "pass\n", 5 }, { "a\0b", 3, true, "a\0b", 3 },
		{ "a\0b", 3, false, NULL, 0 }, { "", 0, false, NULL, 0 }, { "", 0, true, NULL, 0 },
		{ "\n", 1, false, NULL, 0 }, { "0123456", 7, false, "0123456", 7 },
		{ "01234567", 8, false, NULL, 0 }, /* size is 8, with the NUL */
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct secret *secret = NULL;
		char bytes[SECRET_BYTES];

		write_file("s", rows[i].bytes, rows[i].len);
		struct err e = secret_open(&(struct secret_conf){ .path = in_folder("s"),
						   .size = rows[i].len < 7     ? 0
							   : rows[i].len == 12 ? 13
									       : 8,
						   .is_binary = rows[i].is_binary },
			&secret);
		ck_assert_msg((e.kind == ERR_OK) == (rows[i].value != NULL), "row %zu", i);
		if (rows[i].value == NULL) {
			ck_assert(err_is(e, ERR_CODE_BAD_CONFIG));
			continue;
		}
		ck_assert_uint_eq(secret_copy(secret, bytes, NULL), rows[i].value_len);
		ck_assert_mem_eq(bytes, rows[i].value, rows[i].value_len + 1);
		secret_free(secret);
	}
}
END_TEST

START_TEST(refuses_what_is_no_file_of_ours)
{
	struct secret *secret = NULL;
	const struct secret_conf missing = { .path = in_folder("none") };
	const struct secret_conf directory = { .path = folder };

	ck_assert_int_eq(secret_open(&missing, &secret).kind, ERR_FATAL);
	ck_assert_int_eq(secret_open(&directory, &secret).kind, ERR_FATAL);
	ck_assert_int_eq(mkfifo(in_folder("pipe"), 0600), 0);
	const struct secret_conf pipe = { .path = in_folder("pipe") };
	ck_assert_int_eq(secret_open(&pipe, &secret).kind, ERR_FATAL);
	write_text("s", "x");
	const struct secret_conf strict = { .path = in_folder("s"), .is_owner_only = true };
	ck_assert_int_eq(chmod(in_folder("s"), 0640), 0);
	ck_assert_int_eq(secret_open(&strict, &secret).kind, ERR_FATAL);
	ck_assert_int_eq(chmod(in_folder("s"), 0600), 0);
	ck_assert_int_eq(secret_open(&strict, &secret).kind, ERR_OK);
	secret_free(secret);
}
END_TEST

/* What a Secret is mounted with for a pod whose user is not root: readable by its group alone. */
START_TEST(takes_what_our_group_may_read)
{
	struct secret *secret = NULL;
	const struct secret_conf strict = { .path = in_folder("g"), .is_owner_only = true };

	write_text("g", "x");
	ck_assert_int_eq(chown(in_folder("g"), (uid_t)-1, getegid()), 0);
	ck_assert_int_eq(chmod(in_folder("g"), 0440), 0);
	ck_assert_int_eq(secret_open(&strict, &secret).kind, ERR_OK);
	secret_free(secret);
	ck_assert_int_eq(chmod(in_folder("g"), 0444), 0);
	ck_assert_int_eq(secret_open(&strict, &secret).kind, ERR_FATAL);
	struct stat another = { .st_mode = S_IFREG | 0440, .st_gid = (gid_t)-2 };
	ck_assert(!secret_is_private(&another));
}
END_TEST

START_TEST(a_text_stays)
{
	struct secret *secret = opened((struct secret_conf){ .text = "s3" });
	struct secret_news news;

	ck_value(secret, "s3", 1);
	ck_assert(!secret_renew(secret, 1));
	ck_assert(!secret_take_news(secret, &news));
	secret_free(secret);
}
END_TEST

/* Written in place, replaced by rename, and swapped as Kubernetes does. */
START_TEST(takes_a_new_value)
{
	write_text("s", "first");
	struct secret *secret = opened((struct secret_conf){ .path = in_folder("s") });
	ck_value(secret, "first", 1);
	write_text("s", "other"); /* as long, in the same tick of the clock */
	ck_assert(secret_renew(secret, 1));
	ck_value(secret, "other", 2);
	write_text("s.new", "third");
	ck_assert_int_eq(rename(in_folder("s.new"), in_folder("s")), 0);
	ck_assert(secret_renew(secret, 2));
	ck_value(secret, "third", 3);
	ck_assert(!secret_renew(secret, 3));
	secret_free(secret);
}
END_TEST

START_TEST(follows_the_links_of_kubernetes)
{
	ck_assert_int_eq(mkdir(in_folder("1"), 0700), 0);
	ck_assert_int_eq(mkdir(in_folder("2"), 0700), 0);
	write_text("1/s", "old");
	write_text("2/s", "new");
	ck_assert_int_eq(symlink("1", in_folder("..data")), 0);
	ck_assert_int_eq(symlink("..data/s", in_folder("s")), 0);
	struct secret *secret = opened((struct secret_conf){ .path = in_folder("s") });
	ck_value(secret, "old", 1);
	ck_assert_int_eq(symlink("2", in_folder("..data_tmp")), 0);
	ck_assert_int_eq(rename(in_folder("..data_tmp"), in_folder("..data")), 0);
	ck_assert(secret_renew(secret, 1));
	ck_value(secret, "new", 2);
	secret_free(secret);
}
END_TEST

START_TEST(keeps_the_last_good_value_and_says_so_once)
{
	static const struct {
		const char *text; /* NULL: no file */
		const char *fault;
	} rows[] = {
		{ "", "it is empty" },
		{ "\n", NULL }, /* empty still: nothing new */
		{ NULL, "it cannot be opened" },
	};
	struct secret_news news;

	write_text("s", "good");
	struct secret *secret = opened((struct secret_conf){ .path = in_folder("s") });
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (rows[i].text == NULL)
			ck_assert_int_eq(unlink(in_folder("s")), 0);
		else
			write_text("s", rows[i].text);
		ck_assert(!secret_renew(secret, 1));
		ck_value(secret, "good", 1);
		ck_assert_msg(
			secret_take_news(secret, &news) == (rows[i].fault != NULL), "row %zu", i);
		if (rows[i].fault != NULL) {
			ck_assert(!news.changed);
			ck_assert_str_eq(news.fault, rows[i].fault);
		}
		ck_assert(!secret_take_news(secret, &news));
	}
	write_text("s", "better");
	ck_assert(secret_renew(secret, 1));
	ck_assert(secret_take_news(secret, &news));
	ck_assert(news.changed && news.fault == NULL && news.generation == 2 && news.len == 6);
	ck_assert(!secret_take_news(secret, &news));
	secret_free(secret);
}
END_TEST

/* At use it is looked at only once a second: this waits for the condition, within a deadline. */
START_TEST(notices_without_being_told)
{
	int64_t until_ms = clock_mono_ms() + 30000, began_ms;

	write_text("s", "first");
	struct secret *secret = opened((struct secret_conf){ .path = in_folder("s") });
	began_ms = clock_mono_ms();
	write_text("s", "other");
	while (secret_generation(secret) == 1) {
		ck_assert_int_lt(clock_mono_ms(), until_ms);
		usleep(5000);
	}
	ck_assert_int_ge(clock_mono_ms() - began_ms, 900);
	ck_value(secret, "other", 2);
	secret_free(secret);
}
END_TEST

struct readers {
	struct secret *secret;
	atomic_bool over;
	atomic_int torn;
};

static void *reader_main(void *arg)
{
	struct readers *readers = arg;
	char bytes[SECRET_BYTES];

	while (!atomic_load(&readers->over)) {
		size_t len = secret_copy(readers->secret, bytes, NULL);
		for (size_t i = 1; i < len; i++)
			if (bytes[i] != bytes[0])
				atomic_fetch_add(&readers->torn, 1);
	}
	return NULL;
}

START_TEST(threads_never_see_half_a_value)
{
	struct readers readers = { 0 };
	pthread_t threads[3];
	char text[1001] = { 0 };

	memset(text, 'a', 1000);
	write_text("s", text);
	readers.secret = opened((struct secret_conf){ .path = in_folder("s") });
	for (size_t i = 0; i < COUNT(threads); i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, reader_main, &readers), 0);
	for (int i = 1; i < 26; i++) {
		memset(text, 'a' + i, (size_t)(1000 - i));
		text[1000 - i] = '\0';
		write_text("s.new", text);
		ck_assert_int_eq(rename(in_folder("s.new"), in_folder("s")), 0);
		ck_assert(secret_renew(readers.secret, (uint64_t)i));
	}
	atomic_store(&readers.over, true);
	for (size_t i = 0; i < COUNT(threads); i++)
		pthread_join(threads[i], NULL);
	ck_assert_int_eq(atomic_load(&readers.torn), 0);
	ck_assert_uint_eq(secret_generation(readers.secret), 26);
	secret_free(readers.secret);
}
END_TEST

/* How often the marker stands in one mapping, read the way a core is written. */
static size_t copies_between(int memory, unsigned long start, unsigned long end, const char *marker)
{
	size_t found = 0, size = end - start, len = strlen(marker);
	char *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_msg(bytes != MAP_FAILED, "%lx-%lx", start, end);
	ssize_t got = pread(memory, bytes, size, (off_t)start);
	for (const char *at = bytes; got > 0;) {
		at = memmem(at, (size_t)(bytes + got - at), marker, len);
		if (at == NULL)
			break;
		found++;
		at += len;
	}
	munmap(bytes, size);
	return found;
}

/* The kernel's list of our mappings, read before anything is mapped again. */
static char *list_mappings(void)
{
	static char text[1 << 20];
	int fd = open("/proc/self/smaps", O_RDONLY | O_CLOEXEC);
	size_t len = 0;

	ck_assert_int_ge(fd, 0);
	for (ssize_t n; (n = read(fd, text + len, sizeof text - 1 - len)) > 0;)
		len += (size_t)n;
	close(fd);
	ck_assert(len > 0 && len < sizeof text - 1);
	text[len] = '\0';
	return text;
}

/* In all mappings that a core would hold: those without "dd" (do not dump) among their flags. */
static size_t dumpable_copies(const char *marker)
{
	int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	unsigned long start = 0, end = 0;
	bool is_written = false;
	size_t found = 0;
	char *rest, *line = strtok_r(list_mappings(), "\n", &rest);

	ck_assert_int_ge(memory, 0);
	for (; line != NULL; line = strtok_r(NULL, "\n", &rest)) {
		char rights[8];
		unsigned long from, to;
		if (sscanf(line, "%lx-%lx %7s", &from, &to, rights) == 3) {
			is_written = rights[1] == 'w';
			start = from;
			end = to;
		} else if (is_written && strncmp(line, "VmFlags:", 8) == 0 &&
			   strstr(line, " dd") == NULL)
			found += copies_between(memory, start, end, marker);
	}
	close(memory);
	return found;
}

START_TEST(is_in_no_page_that_a_core_holds)
{
	char marker[24];

	/* made at run time, so that it stands here and nowhere else */
	snprintf(marker, sizeof marker, "%08x-hidden-%06x", 0xfeedbeefU, (unsigned)getpid());
	size_t before = dumpable_copies(marker);
	ck_assert_uint_ge(before, 1); /* the search finds our own */
	write_text("s", marker);
	struct secret *secret = opened((struct secret_conf){ .path = in_folder("s") });
	ck_assert_uint_eq(dumpable_copies(marker), before);
	secret_free(secret);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("secret");
	TCase *tcase = tcase_create("secret");

	tcase_add_checked_fixture(tcase, make_folder, remove_folder);
	tcase_add_test(tcase, reads_what_is_there);
	tcase_add_test(tcase, refuses_what_is_no_file_of_ours);
	tcase_add_test(tcase, takes_what_our_group_may_read);
	tcase_add_test(tcase, a_text_stays);
	tcase_add_test(tcase, takes_a_new_value);
	tcase_add_test(tcase, follows_the_links_of_kubernetes);
	tcase_add_test(tcase, keeps_the_last_good_value_and_says_so_once);
	tcase_add_test(tcase, notices_without_being_told);
	tcase_add_test(tcase, threads_never_see_half_a_value);
	tcase_add_test(tcase, is_in_no_page_that_a_core_holds);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
