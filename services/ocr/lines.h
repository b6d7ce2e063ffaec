/*
 * A stream of bytes cut into lines of bounded length. What a jailed program says is hostile: a line
 * without an end costs LINES_MAX bytes and no more.
 */
#ifndef ESTEIRA_OCR_LINES_H
#define ESTEIRA_OCR_LINES_H

#include "base/str.h"

enum { LINES_MAX = 8192 };

/* Zero-initialised, fn and arg set. */
struct lines {
	void (*fn)(void *arg, struct str line); /* without its LF; the line lives during the call */
	void *arg;
	size_t len;
	bool full; /* the rest of an overlong line is being dropped; its start was told */
	char held[LINES_MAX];
};

void lines_feed(struct lines *lines, struct str bytes);

/* Tells a last line that has no LF. */
void lines_end(struct lines *lines);

#endif
