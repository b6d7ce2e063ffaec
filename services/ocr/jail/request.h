/*
 * What the worker and the zygote say to each other, on SOCK_SEQPACKET sockets between processes of
 * one build: fixed structs, checked for size and magic. The zygote says one hello; the worker sends
 * requests, each with three descriptors (control, input, output); the zygote answers on the
 * request's own control socket with one report when the child has ended. Hanging up the control
 * socket kills the child. A request names a task, never a program or an argument.
 */
#ifndef ESTEIRA_OCR_JAIL_REQUEST_H
#define ESTEIRA_OCR_JAIL_REQUEST_H

#include "base/str.h"

#include <stdint.h>

enum {
	JAIL_MAGIC = 0x45534a31, /* "ESJ1" */
	JAIL_SOCKET_FD = 3,	 /* where the zygote finds its socket */
	JAIL_CHILDREN_MAX = 256,
	JAIL_DPI_MAX = 1200,
	JAIL_SMOOTH_MAX = 8,
	JAIL_PAGE_MAX = 1000000,
	JAIL_TURNS_UNKNOWN = 4,
};

enum jail_task {
	JAIL_INVENTORY,	 /* pdfinfo: input the PDF, output its report and complaints */
	JAIL_TEXT_LAYER, /* pdftotext -bbox-layout: input the PDF, output XHTML */
	JAIL_PICTURES,	 /* pdfimages -list: input the PDF, output a table */
	JAIL_RENDER,	 /* pdftoppm: input the PDF, output page_first as a gray PGM */
	JAIL_RECOGNISE,	 /* input a gray PGM, output struct jail_answer and the text */
	JAIL_TASK_COUNT
};

struct jail_request {
	uint32_t magic;
	uint32_t task;
	uint32_t page_first; /* from 1 */
	uint32_t page_last;
	uint32_t dpi;	     /* of the bitmap to make or to read */
	uint32_t smooth;     /* radius in pixels of the mean that takes noise away; 0: none */
	uint32_t search;     /* 1: read the page all ways round when its letters do not tell */
	uint32_t turns;	     /* quarter turns that make the page upright; JAIL_TURNS_UNKNOWN */
	uint32_t pixels_max; /* of a bitmap */
	uint32_t cpu_s;
	uint64_t memory_bytes; /* address space */
};

enum { JAIL_REQUEST_FDS = 3 };

/* One request as the zygote takes it: false unless it has the size, the magic and every number
 * within its bounds; *ret_request is then not to be used. Any thread. */
bool request_take(struct str bytes, struct jail_request *ret_request);

/* What the kernel refused. */
enum jail_missing { JAIL_NO_LANDLOCK = 1, JAIL_NO_SECCOMP = 2 };

enum jail_fault {
	JAIL_FAULT_NONE,
	JAIL_FAULT_SANDBOX,  /* the jail is required and cannot be built */
	JAIL_FAULT_MODELS,   /* Tesseract's model cannot be loaded */
	JAIL_FAULT_PROGRAMS, /* a poppler program is missing */
};

struct jail_hello {
	uint32_t magic;
	uint32_t fault;	  /* enum jail_fault; the zygote ends after telling one */
	uint32_t missing; /* set of enum jail_missing */
};

/* Instead of a wait status. A child that could not be set up says so itself, on a socket that it no
 * longer has when the document gets control of it: an exit status could be forged. */
enum { JAIL_NO_CHILD = -1, JAIL_NO_CAGE = -2, JAIL_NO_PROGRAM = -3 };

struct jail_report {
	uint32_t magic;
	int32_t status; /* as of wait(2), or one of the above */
	uint32_t cpu_ms;
	uint32_t memory_kb; /* greatest resident size */
};

enum jail_verdict {
	JAIL_READ,  /* text may be empty */
	JAIL_BLANK, /* nothing is drawn on the page */
	JAIL_NOT_A_BITMAP,
	JAIL_BITMAP_TOO_LARGE,
	JAIL_ENGINE_FAILED,
};

/* In front of the text; text_bytes of UTF-8 follow. */
struct jail_answer {
	uint32_t magic;
	uint32_t verdict;
	uint32_t confidence_centi; /* 0..10000 */
	int32_t skew_centi;	   /* degrees the page was turned back by */
	uint32_t quarter_turns;	   /* clockwise, that made it upright */
	uint32_t text_bytes;
};

#endif
