/*
 * Seals and opens one plaintext again and again and prints MB per second of processor time of both
 * as JSON: what tests/bench/seal.py compares with `openssl speed`, which counts the same.
 *
 *   seal_speed BYTES SECONDS
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "port/digest.h"
#include "port/seal.h"

struct bench {
	struct seal_context context;
	struct str plain;
	struct buf sealed;
	uint8_t half[SEAL_HALF_BYTES];
	uint8_t *opened;
};

static struct err seal(struct bench *bench)
{
	struct seal_writer *writer = NULL;
	bool done = false;

	buf_clear(&bench->sealed);
	TRY(seal_doc_writer_new(&bench->context, bench->plain.len, &writer, bench->half));
	struct err e = seal_doc_write(writer, bench->plain, &bench->sealed);
	while (e.kind == ERR_OK && !done)
		e = seal_doc_finish(writer, &bench->sealed, &done);
	seal_doc_writer_free(writer);
	return e;
}

static struct err open_it(struct bench *bench)
{
	size_t len = 0;

	TRY(seal_doc_open(
		&bench->context, bench->half, buf_str(&bench->sealed), bench->opened, &len));
	return len == bench->plain.len
		       ? err_ok()
		       : err_fatal(ERR_CODE_INTERNAL, "another plaintext came back");
}

static double cpu_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* MB/s of a step over some seconds. */
static double rate(struct bench *bench, struct err (*step)(struct bench *bench), double seconds)
{
	double from_s = cpu_s(), bytes = 0;

	while (cpu_s() < from_s + seconds) {
		struct err e = step(bench);
		if (e.kind != ERR_OK) {
			fprintf(stderr, "seal_speed: %s\n", e.msg);
			exit(1);
		}
		bytes += (double)bench->plain.len;
	}
	return bytes / 1e6 / (cpu_s() - from_s);
}

int main(int argc, char **argv)
{
	size_t bytes = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
	double seconds = argc == 3 ? strtod(argv[2], NULL) : 0;
	struct seal_key key;
	char *plain = malloc(bytes + 1);

	if (bytes == 0 || seconds <= 0 || plain == NULL) {
		fprintf(stderr, "usage: seal_speed BYTES SECONDS\n");
		return 2;
	}
	digest_random(plain, bytes);
	seal_key_make(NULL, &key);
	struct bench bench = { .context = { .tenant = { id_v7() },
				       .job = id_v7(),
				       .tenant_key = &key,
				       .key_version = 1 },
		.plain = { plain, bytes },
		.sealed = BUF(seal_doc_size(bytes)),
		.opened = malloc(seal_doc_room(seal_doc_size(bytes))) };
	double sealed = rate(&bench, seal, seconds), opened = rate(&bench, open_it, seconds);
	if (memcmp(bench.opened, plain, bytes) != 0) {
		fprintf(stderr, "seal_speed: another plaintext came back\n");
		return 1;
	}
	printf("{\"seal\": %.1f, \"open\": %.1f}\n", sealed, opened);
	buf_done(&bench.sealed);
	free(bench.opened);
	free(plain);
	return 0;
}
