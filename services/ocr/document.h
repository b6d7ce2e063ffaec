/*
 * A PDF in, its text out: the one function behind which the engine sits. The calling process never
 * parses a byte of the document or of an image; that happens in children of the zygote
 * (docs/jail.md), and what they answer is taken as hostile. A document that cannot be read is an
 * outcome, not an error; an error is a fault of our own.
 */
#ifndef ESTEIRA_OCR_DOCUMENT_H
#define ESTEIRA_OCR_DOCUMENT_H

#include "base/err.h"
#include "base/str.h"

#include <stddef.h>
#include <stdint.h>

struct document_reader;
struct metrics;

/* What to do where the kernel refuses landlock or seccomp. */
enum document_jail {
	DOCUMENT_JAIL_REQUIRE,	   /* do not start */
	DOCUMENT_JAIL_BEST_EFFORT, /* start with what there is; document_jail_missing() says what
				      is not */
};

/* Limits of the process and of every document. Zero takes the default. Texts are copied. */
struct document_conf {
	const char *jail_path; /* the executable; NULL: esteira-ocr-jail beside our own one */
	enum document_jail jail;
	unsigned recognisers;  /* pages under OCR at once in this process; default: cores */
	unsigned readers;      /* readers of text layers at once; default: as many as recognisers */
	unsigned pages_max;    /* default 500 */
	uint32_t pixels_max;   /* of one page image; default 40,000,000 */
	uint32_t cpu_s;	       /* of one child; default 60 */
	uint64_t memory_bytes; /* address space of one child; default 1 GiB */
	uint64_t text_bytes;   /* of one document; default 8 MiB */
};

enum document_source { DOCUMENT_SOURCE_TEXT, DOCUMENT_SOURCE_OCR };

/* One page. */
struct document_page {
	unsigned number; /* from 1 */
	enum document_source source;
	double confidence; /* mean of the words, 0..100; 100 for a text layer and an empty page */
	int64_t time_ms;   /* spent on this page, reading, rendering and recognising */
	struct str text;   /* UTF-8, lines end in LF; owned by the document */
};

/* The outcome. pages has pages_total entries in order when outcome is ERR_CODE_NONE, else none. */
struct document {
	enum err_code
		outcome;      /* NONE, ENCRYPTED, BROKEN, TOO_MANY_PAGES, PAGE_TOO_LARGE,
				 RESOURCE_LIMIT, NO_TEXT, EXPIRED, INTERNAL (the jail died twice) */
	unsigned pages_total; /* 0 when not known */
	unsigned pages_text;
	unsigned pages_ocr;
	double confidence_avg; /* mean of the pages */
	struct document_page *pages;
};

/* One call. page() is told of each page once, as it is done, in any order, on the calling thread;
 * its argument is valid during the call. NULL when nobody listens. */
struct document_job {
	int pdf_fd; /* sealed memfd with the plaintext; stays the caller's, offset unused */
	int64_t deadline_ms; /* clock_mono_ms(); at it all children are killed, outcome EXPIRED */
	void (*page)(void *arg, const struct document_page *page, unsigned pages_total);
	void *arg;
};

/* Starts the zygote and waits until its model is loaded (0.2 s); one that dies is replaced, at most
 * JAILER_RESTARTS_MAX times a minute. ERR_FATAL no-sandbox: the jail cannot be built
 * (conf->jail says when that matters); bad-config: conf, or a program or model that is
 * not installed; internal: anything else. */
struct err document_open(const struct document_conf *conf, struct document_reader **ret_reader)
	ERR_MUST_USE;

/* Ends the zygote and what it runs. No document_read may be under way. NULL is fine. */
void document_close(struct document_reader *reader);

/* What the kernel refused: "" or for example "landlock". Static text, any thread. */
const char *document_jail_missing(const struct document_reader *reader);

/* How often a dead zygote was replaced. Any thread. */
unsigned document_jail_restarts(const struct document_reader *reader);

/* From now on metrics say how its children end and how often the zygote was replaced; they must
 * outlive it. Before the first document. */
void document_measure(struct document_reader *reader, struct metrics *metrics);

/* The memory limits of all children plus 256 MiB against the cgroup's memory limit (none: fits).
 * ERR_FATAL bad-config when they do not fit. */
struct err document_memory_check(const struct document_reader *reader) ERR_MUST_USE;

/* Reads one document, once more if the zygote dies meanwhile. Any number of threads at once.
 * ret_document is set only with ERR_OK and then to be released by document_done. ERR_FATAL: there
 * is no zygote to be had, this process must be restarted; ERR_RETRY: no file descriptors, processes
 * or memory. */
struct err document_read(struct document_reader *reader, const struct document_job *job,
	struct document *ret_document) ERR_MUST_USE;

/* Overwrites and frees the texts. */
void document_done(struct document *document);

/* Recognises a built-in bitmap, waiting for a free recogniser: the proof that OCR works. ERR_RETRY
 * timeout at deadline_ms (clock_mono_ms()), or the zygote died; ERR_FATAL as above, or when the
 * text is not read. */
struct err document_probe(struct document_reader *reader, int64_t deadline_ms) ERR_MUST_USE;

#endif
