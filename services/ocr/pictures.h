/*
 * How much of each page is picture: the table of pdfimages -list, read line by line. It tells sizes
 * and not places, so pictures are added up and never exceed the page.
 */
#ifndef ESTEIRA_OCR_PICTURES_H
#define ESTEIRA_OCR_PICTURES_H

#include "base/str.h"

#include "lines.h"

struct pictures {
	unsigned page_count;
	double *areas_in2; /* heap; [n - 1] is page n, square inches of pictures drawn on it */
	struct lines lines;
};

/* False when memory is out. Released by pictures_close. */
bool pictures_open(struct pictures *pictures, unsigned page_count);
void pictures_close(struct pictures *pictures);

/* Some output of pdfimages; arg is the pictures. */
void pictures_feed(void *arg, struct str bytes);

#endif
