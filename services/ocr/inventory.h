/*
 * How many pages there are and how large: what pdfinfo prints, read line by line. The document's
 * own strings come first in that report, so the last word on anything counts.
 */
#ifndef ESTEIRA_OCR_INVENTORY_H
#define ESTEIRA_OCR_INVENTORY_H

#include "base/str.h"

#include <stdint.h>

#include "lines.h"

/* In points (1/72 inch), as drawn: the crop box, before rotation. */
struct inventory_page {
	double width_pt;
	double height_pt;
};

struct inventory {
	bool needs_password;
	uint64_t page_count;	      /* 0: not told */
	unsigned pages_max;	      /* room in pages */
	struct inventory_page *pages; /* heap; [n - 1] is page n; zero when not told */
	struct lines lines;
};

/* Room for pages_max pages. False when memory is out. Released by inventory_close. */
bool inventory_open(struct inventory *inventory, unsigned pages_max);
void inventory_close(struct inventory *inventory);

/* Some output of pdfinfo; arg is the inventory. */
void inventory_feed(void *arg, struct str bytes);

/* A decimal number at the start of *text, consumed: "595.28", no sign, no exponent, below 1e9.
 * False when there is none. */
bool inventory_number(struct str *text, double *ret_number);

#endif
