/*
 * Gray bitmaps as pdftoppm writes them (netpbm's PGM, raw, 8 bits). The writer may have been taken
 * over by the document, so the header is read strictly and the size is bounded before any memory is
 * taken for it.
 */
#ifndef ESTEIRA_OCR_JAIL_PGM_H
#define ESTEIRA_OCR_JAIL_PGM_H

#include "base/str.h"

#include <stdint.h>

struct Pix;

struct pgm {
	uint32_t width;
	uint32_t height;
	size_t header_bytes; /* pixels start here, one byte each, row by row */
};

enum { PGM_HEADER_MAX = 128, PGM_SIDE_MAX = 32767 };

enum pgm_status { PGM_OK, PGM_BROKEN, PGM_TOO_LARGE };

/* The header at the start of head, which holds at least PGM_HEADER_MAX bytes unless the file is
 * shorter. Comments are not taken: pdftoppm writes none. */
enum pgm_status pgm_parse(struct str head, uint32_t pixels_max, struct pgm *ret_pgm);

/* Reads a whole bitmap to the end of its last row; *ret_pix is the caller's (pixDestroy). A short
 * file is PGM_BROKEN. */
enum pgm_status pgm_read(int fd, uint32_t pixels_max, struct Pix **ret_pix);

#endif
