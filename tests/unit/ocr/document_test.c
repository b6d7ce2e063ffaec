/*
 * Documents through the real jail: the zygote beside this program, poppler, Tesseract, the kernel's
 * limits. The PDFs are written here, small enough to be read; tests/samples holds the larger ones.
 */
#include "document.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

#include "document_reader.h"
#include "document_rig.h"

static const char nothing[] = "";

static int count_entries(const char *path)
{
	int count = 0;
	DIR *dir = opendir(path);

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count;
}

/* box, contents of the only page, what comes of it. */
static const struct {
	const char *box;
	const char *contents;
	struct document_conf conf;
	enum err_code outcome;
	enum document_source source;
	const char *begins;
} cases[] = {
	{ "595 842", sentence, { .pages_max = 0 }, ERR_CODE_NONE, DOCUMENT_SOURCE_TEXT,
		"O fornecedor entrega em trinta dias.\n" },
	{ "400 600", one_word, { .pages_max = 0 }, ERR_CODE_NONE, DOCUMENT_SOURCE_OCR, "Recibo\n" },
	{ "595 842", nothing, { .pages_max = 0 }, ERR_CODE_NO_TEXT, DOCUMENT_SOURCE_OCR, "" },
	{ "90000 90000", one_word, { .pages_max = 0 }, ERR_CODE_PAGE_TOO_LARGE, DOCUMENT_SOURCE_OCR,
		"" },
	{ "400 600", one_word, { .pixels_max = 900000 }, ERR_CODE_PAGE_TOO_LARGE,
		DOCUMENT_SOURCE_OCR, "" },
	{ "595 842", sentence, { .text_bytes = 20 }, ERR_CODE_RESOURCE_LIMIT, DOCUMENT_SOURCE_TEXT,
		"" },
	{ "400 600", one_word, { .text_bytes = 3 }, ERR_CODE_RESOURCE_LIMIT, DOCUMENT_SOURCE_OCR,
		"" },
};

START_TEST(test_one_page)
{
	int files = count_entries("/proc/self/fd");
	struct document_reader *reader = open_reader(cases[_i].conf);
	int fd = page_of(cases[_i].box, cases[_i].contents);

	struct document document = read_fd(reader, fd);
	ck_assert_str_eq(err_code_name(document.outcome), err_code_name(cases[_i].outcome));
	ck_assert_uint_eq(document.pages_total, 1);
	if (document.outcome == ERR_CODE_NONE) {
		const struct document_page *page = &document.pages[0];
		ck_assert_uint_eq(page->number, 1);
		ck_assert_int_eq(page->source, cases[_i].source);
		ck_assert(str_starts(page->text, str_of(cases[_i].begins)));
		ck_assert_double_gt(page->confidence, 60);
		ck_assert_uint_eq(document.pages_text + document.pages_ocr, 1);
	} else {
		ck_assert_ptr_null(document.pages);
	}
	document_done(&document);
	document_close(reader);
	close(fd);
	ck_assert_int_eq(count_entries("/proc/self/fd"), files);
}
END_TEST

static const char *const not_pdfs[] = { "", "%PDF-1.4\n", "\x89PNG\r\n\x1a\n",
	"%PDF-1.4\ntrailer<</Root 1 0 R>>\n%%EOF\n" };

START_TEST(test_broken)
{
	struct document_reader *reader = open_reader((struct document_conf){ .pages_max = 0 });

	for (size_t i = 0; i < sizeof not_pdfs / sizeof *not_pdfs; i++) {
		int fd = memfd_create("document", MFD_CLOEXEC);
		ck_assert_int_ge(write(fd, not_pdfs[i], strlen(not_pdfs[i])), 0);
		struct document document = read_fd(reader, fd);
		ck_assert_str_eq(err_code_name(document.outcome), "broken");
		document_done(&document);
		close(fd);
	}
	document_close(reader);
}
END_TEST

struct progress {
	unsigned pages;
	unsigned total;
	unsigned numbers; /* set of page numbers */
};

static void note(void *arg, const struct document_page *page, unsigned pages_total)
{
	struct progress *progress = arg;

	progress->pages++;
	progress->total = pages_total;
	progress->numbers |= 1U << page->number;
	ck_assert_uint_gt(page->text.len, 0);
}

START_TEST(test_pages_of_both_kinds)
{
	static const char *const contents[] = { sentence, one_word, sentence, one_word, one_word };
	struct document_reader *reader = open_reader((struct document_conf){ .recognisers = 2 });
	struct progress progress = { 0, 0, 0 };
	int fd = pdf_of("400 842", contents, 5);
	const struct document_job job = { fd, clock_mono_ms() + FAR_MS, note, &progress };
	struct document document;

	ck_assert_int_eq(document_read(reader, &job, &document).kind, ERR_OK);
	ck_assert_int_eq(document.outcome, ERR_CODE_NONE);
	ck_assert_uint_eq(document.pages_total, 5);
	ck_assert_uint_eq(document.pages_text, 2);
	ck_assert_uint_eq(document.pages_ocr, 3);
	for (unsigned i = 0; i < 5; i++) {
		struct str begins = str_of(contents[i] == sentence ? "O fornecedor" : "Recibo");
		ck_assert_uint_eq(document.pages[i].number, i + 1);
		ck_assert(str_starts(document.pages[i].text, begins));
	}
	ck_assert_uint_eq(progress.pages, 5);
	ck_assert_uint_eq(progress.total, 5);
	ck_assert_uint_eq(progress.numbers, 0x3e);
	document_done(&document);
	document_close(reader);
	close(fd);
}
END_TEST

START_TEST(test_too_many_pages)
{
	static const char *const contents[] = { sentence, sentence, sentence };
	struct document_reader *reader = open_reader((struct document_conf){ .pages_max = 2 });
	int fd = pdf_of("595 842", contents, 3);
	struct document document = read_fd(reader, fd);

	ck_assert_str_eq(err_code_name(document.outcome), "too_many_pages");
	document_done(&document);
	close(fd);
	fd = pdf_of("595 842", contents, 2);
	document = read_fd(reader, fd);
	ck_assert_int_eq(document.outcome, ERR_CODE_NONE);
	document_done(&document);
	close(fd);
	document_close(reader);
}
END_TEST

START_TEST(test_cpu_limit)
{
	struct document_reader *reader = open_reader((struct document_conf){ .cpu_s = 1 });
	int fd = endless();
	struct document document = read_fd(reader, fd);

	ck_assert_str_eq(err_code_name(document.outcome), "resource_limit");
	document_done(&document);
	document_close(reader);
	close(fd);
}
END_TEST

START_TEST(test_deadline_kills)
{
	struct document_reader *reader = open_reader((struct document_conf){ .cpu_s = 60 });
	int fd = endless();
	int64_t start_ms = clock_mono_ms();
	struct document_job job = { .pdf_fd = fd, .deadline_ms = start_ms - 1 };
	struct document document;

	ck_assert_int_eq(document_read(reader, &job, &document).kind, ERR_OK);
	ck_assert_str_eq(err_code_name(document.outcome), "expired");
	document_done(&document);
	job.deadline_ms = start_ms + 300;
	ck_assert_int_eq(document_read(reader, &job, &document).kind, ERR_OK);
	ck_assert_str_eq(err_code_name(document.outcome), "expired");
	ck_assert_int_lt(clock_mono_ms() - start_ms, 5000);
	for (char text[CHILDREN_TEXT] = "?"; text[0] != '\0';) {
		children_of(reader->jailer.pid, text);
		ck_assert_int_lt(clock_mono_ms() - start_ms, 10000);
	}
	document_done(&document);
	document_close(reader);
	close(fd);
}
END_TEST

struct reader_thread {
	struct document_reader *reader;
	pthread_t thread;
	int fd;
	struct document document;
};

static void *read_in_thread(void *arg)
{
	struct reader_thread *own = arg;

	own->document = read_fd(own->reader, own->fd);
	return NULL;
}

START_TEST(test_threads)
{
	struct document_reader *reader =
		open_reader((struct document_conf){ .recognisers = 1, .readers = 2 });
	struct reader_thread own[6];

	for (int i = 0; i < 6; i++) {
		own[i].reader = reader;
		own[i].fd = page_of("400 842", i % 2 == 0 ? sentence : one_word);
		ck_assert_int_eq(pthread_create(&own[i].thread, NULL, read_in_thread, &own[i]), 0);
	}
	ck_assert_int_eq(document_probe(reader, clock_mono_ms() + FAR_MS).kind, ERR_OK);
	for (int i = 0; i < 6; i++) {
		pthread_join(own[i].thread, NULL);
		ck_assert_int_eq(own[i].document.outcome, ERR_CODE_NONE);
		ck_assert_int_eq(own[i].document.pages[0].source,
			i % 2 == 0 ? DOCUMENT_SOURCE_TEXT : DOCUMENT_SOURCE_OCR);
		document_done(&own[i].document);
		close(own[i].fd);
	}
	document_close(reader);
}
END_TEST

START_TEST(test_probe)
{
	struct document_reader *reader = open_reader((struct document_conf){ .pages_max = 0 });
	struct err e = document_probe(reader, clock_mono_ms() + FAR_MS);

	ck_assert_msg(e.kind == ERR_OK, "%s", e.msg);
	e = document_probe(reader, clock_mono_ms() - 1);
	ck_assert(e.kind == ERR_RETRY && e.code == ERR_CODE_TIMEOUT);
	document_close(reader);
}
END_TEST

START_TEST(test_conf)
{
	struct document_reader *reader;
	struct document_conf conf = { .jail_path = "/nonexistent/esteira-ocr-jail" };

	ck_assert(err_is(document_open(&conf, &reader), ERR_CODE_BAD_CONFIG));
	conf = (struct document_conf){ .jail_path = jail_path(), .recognisers = 1000 };
	ck_assert(err_is(document_open(&conf, &reader), ERR_CODE_BAD_CONFIG));
	conf = (struct document_conf){ .jail_path = "/bin/true" };
	ck_assert(err_is(document_open(&conf, &reader), ERR_CODE_INTERNAL));
	reader = open_reader((struct document_conf){ .memory_bytes = 1 << 20 });
	ck_assert_int_eq(document_memory_check(reader).kind, ERR_OK);
	document_close(reader);
}
END_TEST

/* Cores are the machine's, not the container's: one setting bounds all children. */
START_TEST(test_readers_follow_recognisers)
{
	struct document_reader *reader = open_reader((struct document_conf){ .recognisers = 3 });

	ck_assert_uint_eq(reader->conf.recognisers, 3);
	ck_assert_uint_eq(reader->conf.readers, 3);
	document_close(reader);
}
END_TEST

/* From here on this process and its children see a kernel without landlock. */
static void forget_landlock(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_landlock_create_ruleset, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { sizeof code / sizeof *code, code };

	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

START_TEST(test_kernel_without_landlock)
{
	struct document_reader *reader;
	const struct document_conf conf = { .jail_path = jail_path(),
		.jail = DOCUMENT_JAIL_REQUIRE };

	forget_landlock();
	struct err e = document_open(&conf, &reader);
	ck_assert(e.kind == ERR_FATAL && e.code == ERR_CODE_NO_SANDBOX);
	reader = open_reader((struct document_conf){ .pages_max = 0 });
	ck_assert_str_eq(document_jail_missing(reader), "landlock");
	int fd = page_of("595 842", sentence);
	struct document document = read_fd(reader, fd);
	ck_assert_int_eq(document.outcome, ERR_CODE_NONE);
	document_done(&document);
	document_close(reader);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ocr/document");
	TCase *tcase = tcase_create("document");

	tcase_add_loop_test(tcase, test_one_page, 0, sizeof cases / sizeof *cases);
	tcase_add_test(tcase, test_broken);
	tcase_add_test(tcase, test_pages_of_both_kinds);
	tcase_add_test(tcase, test_too_many_pages);
	tcase_add_test(tcase, test_cpu_limit);
	tcase_add_test(tcase, test_deadline_kills);
	tcase_add_test(tcase, test_threads);
	tcase_add_test(tcase, test_probe);
	tcase_add_test(tcase, test_conf);
	tcase_add_test(tcase, test_readers_follow_recognisers);
	tcase_add_test(tcase, test_kernel_without_landlock);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
