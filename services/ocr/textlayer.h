/*
 * The text layer of each page and what is needed to judge it: the XHTML of pdftotext -bbox-layout,
 * read line by line, never as XML. Its shape: <page width height>, <flow>, <block>, <line>, then
 * <word xMin yMin xMax yMax>text</word>, one element to a line.
 */
#ifndef ESTEIRA_OCR_TEXTLAYER_H
#define ESTEIRA_OCR_TEXTLAYER_H

#include "base/str.h"

#include <locale.h>
#include <stdint.h>

#include "lines.h"

enum { TEXTLAYER_GRID = 32 };

struct textlayer_page {
	struct buf text;   /* UTF-8; lines end in LF, blocks in an empty line */
	uint32_t points;   /* code points in words */
	uint32_t sound;	   /* of these, printable and assigned */
	uint32_t letters;  /* of these, letters and digits */
	double text_share; /* 0..1 of the page, lines with a margin of two cells of the grid */
};

/* The word before, to tell whether a space belongs between. */
struct textlayer_box {
	double x_min, y_min, x_max, y_max;
};

struct textlayer {
	struct textlayer_page *pages; /* heap; [n - 1] is page n */
	unsigned page_count;
	unsigned seen;	      /* pages begun */
	uint64_t left_bytes;  /* of text, for all pages */
	bool overflow;	      /* more text than that */
	double width, height; /* of the page under way */
	uint32_t grid[TEXTLAYER_GRID];
	bool after_word; /* in this line */
	struct textlayer_box last;
	locale_t locale; /* C.UTF-8: which code points are assigned */
	struct lines lines;
};

/* The locale whose tables of characters are used: newlocale(), or 0 when there is no memory. One
 * for all threads. */
locale_t textlayer_locale(void);

/* False when memory is out. locale stays the caller's and must outlive layer. Released by
 * textlayer_close, which overwrites the texts. */
bool textlayer_open(
	struct textlayer *layer, locale_t locale, unsigned page_count, uint64_t text_max_bytes);
void textlayer_close(struct textlayer *layer);

/* Some output of pdftotext; arg is the layer. */
void textlayer_feed(void *arg, struct str bytes);

#endif
