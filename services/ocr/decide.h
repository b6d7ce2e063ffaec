/*
 * The judgements of reading, pure: is a page's text layer the page's text, how finely is a page
 * drawn, is what was read good enough. Numbers and their measurements: docs/decisions/.
 */
#ifndef ESTEIRA_OCR_DECIDE_H
#define ESTEIRA_OCR_DECIDE_H

#include <stdbool.h>
#include <stdint.h>

/* What is known of a page before anything is drawn. */
struct decide_page {
	double width_pt, height_pt;
	uint32_t points;    /* code points of its text layer */
	uint32_t sound;	    /* of these, printable and assigned */
	uint32_t letters;   /* of these, letters and digits */
	double text_share;  /* of the page's area, 0..1 */
	double picture_in2; /* square inches of pictures */
};

/* The text layer is sane and there is little beside it that only OCR would read. */
bool decide_uses_text(const struct decide_page *page);

/* Pixels of the page at a resolution. */
double decide_pixels(const struct decide_page *page, unsigned dpi);

/* Even the coarsest bitmap would be larger than pixels_max. */
bool decide_too_large(const struct decide_page *page, uint32_t pixels_max);

/* One recognition. */
struct decide_try {
	unsigned dpi;
	unsigned smooth; /* radius in pixels of a mean over the bitmap */
	bool search;	 /* read it all ways round if its letters do not tell */
};

/* The first recognition of a page. */
struct decide_try decide_first(void);

/* After the try last and with best, the best confidence so far (0..100): whether to try again, and
 * how. A step whose bitmap would exceed pixels_max is left out. */
bool decide_again(const struct decide_page *page, uint32_t pixels_max, struct decide_try last,
	double best, struct decide_try *ret_try);

#endif
