#include "textlayer.h"

#include <stdlib.h>
#include <string.h>
#include <wctype.h>

#include "inventory.h"

/* Of a word's height: less is no space. poppler breaks words at a tenth of the font size, and also
 * where nothing but the font changes. */
static const double space_share = 0.1;

/* What is this near to text is no picture without text: two cells of an A4 page are 13 by 19 mm. */
enum { MARGIN_CELLS = 2 };

static bool take(struct str *text, struct str prefix)
{
	if (!str_starts(*text, prefix))
		return false;
	*text = (struct str){ text->ptr + prefix.len, text->len - prefix.len };
	return true;
}

/* name="number" with any sign; a negative one is outside the page and becomes 0. */
static bool take_attribute(struct str *text, struct str name, double *ret_value)
{
	*text = str_trim(*text);
	if (!take(text, name) || !take(text, STR("=\"")))
		return false;
	bool negative = take(text, STR("-"));
	if (!inventory_number(text, ret_value) || !take(text, STR("\"")))
		return false;
	if (negative)
		*ret_value = 0;
	return true;
}

static bool take_box(struct str *text, struct textlayer_box *ret_box)
{
	return take_attribute(text, STR("xMin"), &ret_box->x_min) &&
	       take_attribute(text, STR("yMin"), &ret_box->y_min) &&
	       take_attribute(text, STR("xMax"), &ret_box->x_max) &&
	       take_attribute(text, STR("yMax"), &ret_box->y_max);
}

static struct textlayer_page *page_now(struct textlayer *layer)
{
	if (layer->seen < 1 || layer->seen > layer->page_count)
		return NULL;
	return &layer->pages[layer->seen - 1];
}

static void add_text(struct textlayer *layer, const char *data, size_t len)
{
	struct textlayer_page *page = page_now(layer);

	if (page == NULL)
		return;
	if (len > layer->left_bytes) {
		layer->overflow = true;
		return;
	}
	layer->left_bytes -= len;
	buf_add(&page->text, data, len);
	layer->overflow = layer->overflow || page->text.overflow;
}

static unsigned cell(double at, double length)
{
	if (length <= 0 || at >= length)
		return TEXTLAYER_GRID - 1;
	return (unsigned)(at / length * (double)TEXTLAYER_GRID);
}

static void mark(struct textlayer *layer, const struct textlayer_box *box)
{
	unsigned left = cell(box->x_min, layer->width), right = cell(box->x_max, layer->width);
	unsigned top = cell(box->y_min, layer->height), foot = cell(box->y_max, layer->height);

	if (left > right || top > foot)
		return;
	uint32_t row = UINT32_MAX >> (TEXTLAYER_GRID - 1 - right) & UINT32_MAX << left;
	for (unsigned y = top; y <= foot; y++)
		layer->grid[y] |= row;
}

static void begin_page(struct textlayer *layer, struct str rest)
{
	layer->seen++;
	layer->after_word = false;
	memset(layer->grid, 0, sizeof layer->grid);
	if (!take_attribute(&rest, STR("width"), &layer->width) ||
		!take_attribute(&rest, STR("height"), &layer->height))
		layer->width = layer->height = 0;
}

/* Each marked cell marks its eight neighbours: margins and line spacing belong to the text. */
static void grow(uint32_t *grid)
{
	uint32_t above = 0;

	for (unsigned y = 0; y < TEXTLAYER_GRID; y++) {
		uint32_t here = grid[y] | grid[y] << 1 | grid[y] >> 1;
		uint32_t next = y + 1 < TEXTLAYER_GRID ? grid[y + 1] : 0;
		grid[y] = above | here | next | next << 1 | next >> 1;
		above = here;
	}
}

static void end_page(struct textlayer *layer)
{
	struct textlayer_page *page = page_now(layer);
	unsigned cells = 0;

	for (unsigned i = 0; i < MARGIN_CELLS; i++)
		grow(layer->grid);

	for (unsigned y = 0; y < TEXTLAYER_GRID; y++)
		cells += (unsigned)__builtin_popcount(layer->grid[y]);
	if (page != NULL)
		page->text_share = (double)cells / (TEXTLAYER_GRID * TEXTLAYER_GRID);
}

/* A word's text without markup: the entities that poppler writes, anything else as it is. */
static size_t unescape(struct str text, char *ret_text)
{
	static const struct {
		struct str from;
		char to;
	} entities[] = {
		{ { "&amp;", 5 }, '&' },
		{ { "&lt;", 4 }, '<' },
		{ { "&gt;", 4 }, '>' },
		{ { "&quot;", 6 }, '"' },
		{ { "&apos;", 6 }, '\'' },
	};
	size_t len = 0;

	while (text.len > 0) {
		size_t used = 1;
		ret_text[len] = text.ptr[0];
		for (size_t i = 0; text.ptr[0] == '&' && i < sizeof entities / sizeof *entities;
			i++)
			if (str_starts(text, entities[i].from)) {
				ret_text[len] = entities[i].to;
				used = entities[i].from.len;
			}
		len++;
		text = (struct str){ text.ptr + used, text.len - used };
	}
	return len;
}

/* The code point at the start of well-formed UTF-8, and its length. */
static wint_t code_point(const unsigned char *p, size_t *ret_len)
{
	static const unsigned char lead_bits[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	size_t len = *p < 0x80 ? 1 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : 4;
	wint_t point = *p & lead_bits[len];

	for (size_t i = 1; i < len; i++)
		point = point << 6 | (p[i] & 0x3f);
	*ret_len = len;
	return point;
}

static bool is_private(wint_t point)
{
	return (point >= 0xe000 && point <= 0xf8ff) || point >= 0xf0000;
}

static void judge(struct textlayer *layer, struct textlayer_page *page, struct str word)
{
	size_t len;

	for (size_t at = 0; at < word.len; at += len) {
		wint_t point = code_point((const unsigned char *)word.ptr + at, &len);
		page->points++;
		if (point == 0xfffd || is_private(point) || !iswprint_l(point, layer->locale))
			continue;
		page->sound++;
		if (iswalnum_l(point, layer->locale))
			page->letters++;
	}
}

/* How far b is from a, along or across the line; 0 when they touch. */
static double gap(const struct textlayer_box *a, const struct textlayer_box *b)
{
	double right = b->x_min - a->x_max, left = a->x_min - b->x_max;
	double below = b->y_min - a->y_max, above = a->y_min - b->y_max;
	double across = right > left ? right : left, along = below > above ? below : above;

	return across > along ? across : along;
}

static double thickness(const struct textlayer_box *box)
{
	double width = box->x_max - box->x_min, height = box->y_max - box->y_min;

	return width < height ? width : height;
}

static void take_word(struct textlayer *layer, struct str rest)
{
	static const struct str end = { "</word>", 7 };
	struct textlayer_page *page = page_now(layer);
	struct textlayer_box box;
	char text[LINES_MAX];

	if (page == NULL || !take_box(&rest, &box) || !take(&rest, STR(">")))
		return;
	if (rest.len >= end.len && memcmp(rest.ptr + rest.len - end.len, end.ptr, end.len) == 0)
		rest.len -= end.len;
	struct str word = { text, unescape(rest, text) };
	if (!str_is_utf8(word)) {
		page->points += (uint32_t)word.len; /* none of them sound */
		return;
	}
	if (layer->after_word && gap(&layer->last, &box) > space_share * thickness(&box))
		add_text(layer, " ", 1);
	judge(layer, page, word);
	add_text(layer, word.ptr, word.len);
	layer->after_word = true;
	layer->last = box;
}

static void take_line(void *arg, struct str line)
{
	struct textlayer *layer = arg;
	struct textlayer_box box;

	line = str_trim(line);
	if (take(&line, STR("<word "))) {
		take_word(layer, line);
	} else if (take(&line, STR("<line "))) {
		if (take_box(&line, &box))
			mark(layer, &box);
		layer->after_word = false;
	} else if (str_eq(line, STR("</line>")) || str_eq(line, STR("</block>"))) {
		add_text(layer, "\n", 1);
	} else if (take(&line, STR("<page "))) {
		begin_page(layer, line);
	} else if (str_eq(line, STR("</page>"))) {
		end_page(layer);
	}
}

locale_t textlayer_locale(void)
{
	return newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
}

bool textlayer_open(
	struct textlayer *layer, locale_t locale, unsigned page_count, uint64_t text_max_bytes)
{
	memset(layer, 0, sizeof *layer);
	layer->pages = calloc(page_count, sizeof *layer->pages);
	layer->locale = locale;
	layer->page_count = page_count;
	layer->left_bytes = text_max_bytes;
	layer->lines.fn = take_line;
	layer->lines.arg = layer;
	for (unsigned i = 0; layer->pages != NULL && i < page_count; i++)
		layer->pages[i].text = BUF(text_max_bytes);
	return layer->pages != NULL;
}

void textlayer_close(struct textlayer *layer)
{
	for (unsigned i = 0; layer->pages != NULL && i < layer->page_count; i++) {
		struct buf *text = &layer->pages[i].text;
		if (text->ptr != NULL)
			explicit_bzero(text->ptr, text->cap);
		buf_done(text);
	}
	free(layer->pages);
	layer->pages = NULL;
}

void textlayer_feed(void *arg, struct str bytes)
{
	struct textlayer *layer = arg;

	lines_feed(&layer->lines, bytes);
}
