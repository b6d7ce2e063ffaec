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

enum { PDF_MAX = 65536, FAR_MS = 60000 };

static const char sentence[] = "BT /F 12 Tf 50 700 Td (O fornecedor entrega em trinta dias.) Tj ET";
static const char one_word[] = "BT /F 60 Tf 50 400 Td (Recibo) Tj ET";
static const char nothing[] = "";

/* A PDF of pages with these contents. Without a cross-reference table: poppler rebuilds it. */
static int pdf_of(const char *box, const char *const *contents, int count)
{
	static char text[PDF_MAX];
	int len = snprintf(text, sizeof text,
		"%%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
		"3 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj\n"
		"2 0 obj<</Type/Pages/MediaBox[0 0 %s]/Resources<</Font<</F 3 0 R>>>>/Count %d"
		"/Kids[",
		box, count);

	for (int i = 0; i < count; i++)
		len += snprintf(text + len, sizeof text - (size_t)len, "%d 0 R ", 10 + 2 * i);
	len += snprintf(text + len, sizeof text - (size_t)len, "]>>endobj\n");
	for (int i = 0; i < count; i++)
		len += snprintf(text + len, sizeof text - (size_t)len,
			"%d 0 obj<</Type/Page/Parent 2 0 R/Contents %d 0 R>>endobj\n"
			"%d 0 obj<</Length %zu>>stream\n%s\nendstream endobj\n",
			10 + 2 * i, 11 + 2 * i, 11 + 2 * i, strlen(contents[i]), contents[i]);
	len += snprintf(text + len, sizeof text - (size_t)len,
		"trailer<</Root 1 0 R/Size %d>>\n%%%%EOF\n", 12 + 2 * count);
	ck_assert_int_lt(len, PDF_MAX);
	int fd = memfd_create("document", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	ck_assert_int_eq(write(fd, text, (size_t)len), len);
	return fd;
}

static int page_of(const char *box, const char *contents)
{
	return pdf_of(box, (const char *const[]){ contents }, 1);
}

/* Built beside the tests: bin/esteira-ocr-jail. */
static const char *jail_path(void)
{
	static const char name[] = "/bin/esteira-ocr-jail";
	static char path[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", path, sizeof path - sizeof name);

	ck_assert_int_gt(len, 0);
	path[len] = '\0';
	for (int up = 0; up < 2; up++)
		*strrchr(path, '/') = '\0';
	memcpy(path + strlen(path), name, sizeof name);
	return path;
}

/* With all of the jail where the kernel has it. */
static struct document_reader *open_reader(struct document_conf conf)
{
	struct document_reader *reader;

	conf.jail_path = jail_path();
	conf.jail = DOCUMENT_JAIL_BEST_EFFORT;
	struct err e = document_open(&conf, &reader);
	ck_assert_msg(e.kind == ERR_OK, "%s", e.msg);
	ck_assert_ptr_null(strstr(document_jail_missing(reader), "seccomp"));
	return reader;
}

static struct document read_fd(struct document_reader *reader, int fd)
{
	const struct document_job job = { .pdf_fd = fd, .deadline_ms = clock_mono_ms() + FAR_MS };
	struct document document;

	struct err e = document_read(reader, &job, &document);
	ck_assert_msg(e.kind == ERR_OK, "%s", e.msg);
	return document;
}

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

/* A page whose text is a procedure that never ends within the limit: forms that call forms. */
static int endless(void)
{
	static char text[PDF_MAX];
	int len = snprintf(text, sizeof text,
		"%%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
		"2 0 obj<</Type/Pages/MediaBox[0 0 200 200]/Count 1/Kids[3 0 R]>>endobj\n"
		"3 0 obj<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<</XObject<</X 10 0 R>>"
		">>>>endobj\n4 0 obj<</Length 5>>stream\n/X Do\nendstream endobj\n");

	for (int i = 10; i < 24; i++)
		len += snprintf(text + len, sizeof text - (size_t)len,
			"%d 0 obj<</Type/XObject/Subtype/Form/BBox[0 0 200 200]/Resources<</XObject"
			"<</X %d 0 R>>>>/Length 71>>stream\n"
			"/X Do /X Do /X Do /X Do /X Do /X Do /X Do /X Do /X Do /X Do /X Do /X Do\n"
			"endstream endobj\n",
			i, i + 1);
	len += snprintf(text + len, sizeof text - (size_t)len,
		"24 0 obj<</Type/XObject/Subtype/Form/BBox[0 0 200 200]/Length 17>>stream\n"
		"0 0 m 9 9 l S    \nendstream endobj\ntrailer<</Root 1 0 R/Size 25>>\n");
	int fd = memfd_create("document", MFD_CLOEXEC);
	ck_assert_int_eq(write(fd, text, (size_t)len), len);
	return fd;
}

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

/* Children of the zygote that have not been reaped. */
static bool has_children(int pid)
{
	char path[64], text[16];

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
	FILE *file = fopen(path, "r");
	ck_assert_ptr_nonnull(file);
	size_t len = fread(text, 1, sizeof text, file);
	fclose(file);
	return len > 0;
}

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
	while (has_children(reader->jailer.pid))
		ck_assert_int_lt(clock_mono_ms() - start_ms, 10000);
	document_done(&document);
	document_close(reader);
	close(fd);
}
END_TEST

START_TEST(test_dead_zygote)
{
	struct document_reader *reader = open_reader((struct document_conf){ .pages_max = 0 });
	int fd = page_of("595 842", sentence);
	const struct document_job job = { .pdf_fd = fd, .deadline_ms = clock_mono_ms() + FAR_MS };
	struct document document;

	kill(reader->jailer.pid, SIGKILL);
	ck_assert_int_eq(waitpid(reader->jailer.pid, NULL, 0), reader->jailer.pid);
	reader->jailer.pid = -1;
	ck_assert_int_eq(document_read(reader, &job, &document).kind, ERR_FATAL);
	ck_assert_int_eq(document_probe(reader, clock_mono_ms() + FAR_MS).kind, ERR_FATAL);
	document_close(reader);
	close(fd);
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
	tcase_add_test(tcase, test_dead_zygote);
	tcase_add_test(tcase, test_zygote_dies_with_its_parent);
	tcase_add_test(tcase, test_threads);
	tcase_add_test(tcase, test_probe);
	tcase_add_test(tcase, test_conf);
	tcase_add_test(tcase, test_kernel_without_landlock);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
