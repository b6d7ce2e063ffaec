/*
 * What a child of the zygote may do: limits of the kernel, a landlock domain and a seccomp filter.
 * A reader keeps the right to run its one program and to read libraries and fonts; a recogniser
 * keeps read, write, memory and exit. landlock(7), seccomp(2); the kernel's ABI decides how much of
 * landlock there is.
 */
#ifndef ESTEIRA_OCR_JAIL_CAGE_H
#define ESTEIRA_OCR_JAIL_CAGE_H

#include <stdbool.h>
#include <stdint.h>

enum cage_kind { CAGE_READER, CAGE_RECOGNISER };

struct cage_limits {
	uint64_t memory_bytes; /* address space */
	uint32_t cpu_s;
};

/* A landlock ruleset that allows reading libraries, fonts and poppler's data, and executing program
 * and its loader; without program: nothing at all. Returns a descriptor for cage_enter or -1 with
 * errno; the rules hold whatever is renamed later. */
int cage_ruleset(const char *program);

/* What this kernel refuses, as a set of enum jail_missing. Tried in a child of its own. */
uint32_t cage_missing(void);

/* Puts the calling process, which must be single-threaded, into its cage; irrevocable. ruleset_fd
 * -1: go on without landlock, unless required. False: not caged, the caller must exit. */
bool cage_enter(
	enum cage_kind kind, int ruleset_fd, const struct cage_limits *limits, bool required);

#endif
