/*
 * Reads documents through services/ocr/document.h and prints one JSON object per line: the bench's
 * and a developer's way to the engine without a broker.
 *
 *   ocr_read [--jail PATH] [--recognisers N] [--cpu SECONDS] [--repeat N] [--threads N] [--text]
 *            [--linger SECONDS] FILE...
 */
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"

#include "document.h"

struct options {
	struct document_conf conf;
	int repeat;
	int threads;
	int linger_s;
	bool text;
	char **files;
	int file_count;
};

struct task {
	const struct options *options;
	struct document_reader *reader;
	int first; /* of files; every options->threads-th is ours */
};

static bool parse(int argc, char **argv, struct options *ret_options)
{
	static const struct option longs[] = { { "jail", 1, NULL, 'j' },
		{ "recognisers", 1, NULL, 'n' }, { "cpu", 1, NULL, 'c' },
		{ "repeat", 1, NULL, 'r' }, { "threads", 1, NULL, 't' }, { "linger", 1, NULL, 'l' },
		{ "text", 0, NULL, 'x' }, { NULL, 0, NULL, 0 } };
	struct options options = {
		.conf = { .jail = DOCUMENT_JAIL_REQUIRE }, .repeat = 1, .threads = 1
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		int number = optarg == NULL ? 0 : (int)strtol(optarg, NULL, 10);
		switch (c) {
		case 'j':
			options.conf.jail_path = optarg;
			break;
		case 'n':
			options.conf.recognisers = (unsigned)number;
			break;
		case 'c':
			options.conf.cpu_s = (uint32_t)number;
			break;
		case 'r':
			options.repeat = number;
			break;
		case 't':
			options.threads = number;
			break;
		case 'l':
			options.linger_s = number;
			break;
		case 'x':
			options.text = true;
			break;
		default:
			return false;
		}
	}
	options.files = argv + optind;
	options.file_count = argc - optind;
	*ret_options = options;
	return options.threads >= 1 && options.threads <= 64;
}

/* The file in a sealed memfd, as the worker has it; -1 on failure. */
static int load(const char *path)
{
	char bytes[65536];
	size_t n;
	FILE *file = fopen(path, "rb");
	int fd = memfd_create("document", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	bool ok = file != NULL && fd >= 0;

	while (ok && (n = fread(bytes, 1, sizeof bytes, file)) > 0)
		ok = write(fd, bytes, n) == (ssize_t)n;
	if (file != NULL)
		fclose(file);
	ok = ok &&
	     fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0;
	if (!ok && fd >= 0)
		close(fd);
	return ok ? fd : -1;
}

static void print_text(FILE *out, struct str text)
{
	fputc('"', out);
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c < ' ')
			fprintf(out, "\\u%04x", c);
		else
			fputc(c, out);
	}
	fputc('"', out);
}

static void print(const struct options *options, const char *file, const struct document *document,
	int64_t time_us)
{
	flockfile(stdout);
	printf("{\"file\":\"%s\",\"outcome\":\"%s\",\"time_ms\":%.2f,\"pages_total\":%u,"
	       "\"pages_text\":%u,\"pages_ocr\":%u,\"confidence_avg\":%.1f,\"pages\":[",
		file, err_code_name(document->outcome), (double)time_us / 1000,
		document->pages_total, document->pages_text, document->pages_ocr,
		document->confidence_avg);
	for (unsigned i = 0; document->pages != NULL && i < document->pages_total; i++) {
		const struct document_page *page = &document->pages[i];
		printf("%s{\"page\":%u,\"source\":\"%s\",\"confidence\":%.1f,\"time_ms\":%lld",
			i == 0 ? "" : ",", page->number,
			page->source == DOCUMENT_SOURCE_TEXT ? "text" : "ocr", page->confidence,
			(long long)page->time_ms);
		if (options->text) {
			printf(",\"text\":");
			print_text(stdout, page->text);
		}
		printf("}");
	}
	printf("]}\n");
	fflush(stdout);
	funlockfile(stdout);
}

static bool read_once(const struct task *task, const char *file)
{
	struct document document;
	int fd = load(file);

	if (fd < 0) {
		perror(file);
		return false;
	}
	const struct document_job job = { fd, clock_mono_ms() + 600000, NULL, NULL };
	int64_t start_us = clock_mono_us();
	struct err e = document_read(task->reader, &job, &document);
	int64_t time_us = clock_mono_us() - start_us;
	close(fd);
	if (e.kind != ERR_OK) {
		fprintf(stderr, "%s: %s\n", file, e.msg);
		return false;
	}
	print(task->options, file, &document, time_us);
	document_done(&document);
	return true;
}

static void *work(void *arg)
{
	const struct task *task = arg;
	const struct options *options = task->options;

	for (int r = 0; r < options->repeat; r++)
		for (int i = task->first; i < options->file_count; i += options->threads)
			if (!read_once(task, options->files[i]))
				exit(1);
	return NULL;
}

int main(int argc, char **argv)
{
	struct document_reader *reader;
	struct options options;
	struct task tasks[64];
	pthread_t threads[64];

	if (!parse(argc, argv, &options))
		return 2;
	struct err e = document_open(&options.conf, &reader);
	if (e.kind == ERR_OK)
		e = document_probe(reader, clock_mono_ms() + 10000);
	if (e.kind != ERR_OK) {
		fprintf(stderr, "ocr_read: %s\n", e.msg);
		return 1;
	}
	for (int i = 0; i < options.threads; i++) {
		tasks[i] = (struct task){ &options, reader, i };
		if (pthread_create(&threads[i], NULL, work, &tasks[i]) != 0)
			return 1;
	}
	for (int i = 0; i < options.threads; i++)
		pthread_join(threads[i], NULL);
	sleep((unsigned)options.linger_s);
	document_close(reader);
	return 0;
}
