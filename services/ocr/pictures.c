#include "pictures.h"

#include <stdlib.h>
#include <string.h>

#include "inventory.h"

/* page num type width height color comp bpc enc interp object ID x-ppi y-ppi size ratio: counted
 * from the front up to the height, from the back for the rest, because an inline image has one word
 * instead of object and ID. */
enum { WORDS_MAX = 20, WORDS_MIN = 14, PAGE = 0, TYPE = 2, WIDTH = 3, HEIGHT = 4 };
enum { X_PPI_FROM_END = 4, Y_PPI_FROM_END = 3 };

static size_t split(struct str line, struct str *words)
{
	size_t count = 0;

	while (count < WORDS_MAX) {
		line = str_trim(line);
		if (line.len == 0)
			break;
		words[count++] = str_cut(line, ' ', &line);
	}
	return count;
}

static void take_line(void *arg, struct str line)
{
	struct pictures *pictures = arg;
	struct str words[WORDS_MAX];
	double width, height, x_ppi, y_ppi;
	uint64_t page;

	size_t count = split(line, words);
	if (count < WORDS_MIN || !str_to_u64(words[PAGE], &page) || page < 1 ||
		page > pictures->page_count)
		return;
	/* a soft mask is drawn with its image, not beside it */
	if (str_eq(words[TYPE], STR("smask")) || str_eq(words[TYPE], STR("mask")))
		return;
	if (!inventory_number(&words[WIDTH], &width) ||
		!inventory_number(&words[HEIGHT], &height) ||
		!inventory_number(&words[count - X_PPI_FROM_END], &x_ppi) ||
		!inventory_number(&words[count - Y_PPI_FROM_END], &y_ppi))
		return;
	if (x_ppi > 0 && y_ppi > 0)
		pictures->areas_in2[page - 1] += width / x_ppi * (height / y_ppi);
}

bool pictures_open(struct pictures *pictures, unsigned page_count)
{
	memset(pictures, 0, sizeof *pictures);
	pictures->areas_in2 = calloc(page_count, sizeof *pictures->areas_in2);
	pictures->page_count = page_count;
	pictures->lines.fn = take_line;
	pictures->lines.arg = pictures;
	return pictures->areas_in2 != NULL;
}

void pictures_close(struct pictures *pictures)
{
	free(pictures->areas_in2);
	pictures->areas_in2 = NULL;
}

void pictures_feed(void *arg, struct str bytes)
{
	struct pictures *pictures = arg;

	lines_feed(&pictures->lines, bytes);
}
