/*
 * The bitmap that proves that recognition works: three words, 10 KB, made once from a free font and
 * kept as numbers, so that the proof needs no file.
 */
#ifndef ESTEIRA_OCR_PROBE_H
#define ESTEIRA_OCR_PROBE_H

#include "base/str.h"

enum { PROBE_DPI = 150 };

/* Writes it as a raw PGM in one go; false when it does not fit. */
bool probe_write(int fd);

/* Is this what stands on it? */
bool probe_is_text(struct str text);

#endif
