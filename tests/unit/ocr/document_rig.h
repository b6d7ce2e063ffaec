/*
 * Small PDFs, and a document reader on the jail that was built beside the tests.
 */
#ifndef ESTEIRA_TESTS_OCR_DOCUMENT_RIG_H
#define ESTEIRA_TESTS_OCR_DOCUMENT_RIG_H

#include <check.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"

#include "document_reader.h"

enum { PDF_MAX = 65536, FAR_MS = 60000 };

static const char sentence[] = "BT /F 12 Tf 50 700 Td (O fornecedor entrega em trinta dias.) Tj ET";
static const char one_word[] = "BT /F 60 Tf 50 400 Td (Recibo) Tj ET";

/* A PDF of pages with these contents. Without a cross-reference table: poppler rebuilds it. */
static inline int pdf_of(const char *box, const char *const *contents, int count)
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

static inline int page_of(const char *box, const char *contents)
{
	return pdf_of(box, (const char *const[]){ contents }, 1);
}

/* Built beside the tests: bin/esteira-ocr-jail. */
static inline const char *jail_path(void)
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
static inline struct document_reader *open_reader(struct document_conf conf)
{
	struct document_reader *reader;

	conf.jail_path = jail_path();
	conf.jail = DOCUMENT_JAIL_BEST_EFFORT;
	struct err e = document_open(&conf, &reader);
	ck_assert_msg(e.kind == ERR_OK, "%s", e.msg);
	ck_assert_ptr_null(strstr(document_jail_missing(reader), "seccomp"));
	return reader;
}

static inline struct document read_fd(struct document_reader *reader, int fd)
{
	const struct document_job job = { .pdf_fd = fd, .deadline_ms = clock_mono_ms() + FAR_MS };
	struct document document;

	struct err e = document_read(reader, &job, &document);
	ck_assert_msg(e.kind == ERR_OK, "%s", e.msg);
	return document;
}

/* A page whose text is a procedure that never ends within the limit: forms that call forms. */
static inline int endless(void)
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

enum { CHILDREN_TEXT = 64 };

/* The children of the zygote that have not been reaped, as the kernel lists them. */
static inline void children_of(int pid, char *ret_text)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
	FILE *file = fopen(path, "r");
	memset(ret_text, 0, CHILDREN_TEXT);
	if (file == NULL)
		return;
	ret_text[fread(ret_text, 1, CHILDREN_TEXT - 1, file)] = '\0';
	fclose(file);
}

#endif
