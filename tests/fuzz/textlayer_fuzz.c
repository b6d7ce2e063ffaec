/*
 * What jailed poppler programs print, read by the worker: the first byte chooses the reader and how
 * the bytes arrive.
 */
#include <stdint.h>
#include <stdlib.h>

#include "inventory.h"
#include "pictures.h"
#include "textlayer.h"

enum { PAGES = 3, TEXT_BYTES = 4096 };

static void feed(void (*sink)(void *arg, struct str bytes), void *arg, struct str rest, size_t step)
{
	while (rest.len > 0) {
		size_t len = rest.len < step ? rest.len : step;
		sink(arg, (struct str){ rest.ptr, len });
		rest = (struct str){ rest.ptr + len, rest.len - len };
	}
}

static void read_layer(struct str bytes, size_t step)
{
	struct textlayer layer;
	uint64_t total = 0;

	locale_t locale = textlayer_locale();

	if (!textlayer_open(&layer, locale, PAGES, TEXT_BYTES))
		return;
	feed(textlayer_feed, &layer, bytes, step);
	lines_end(&layer.lines);
	for (unsigned i = 0; i < PAGES; i++) {
		const struct textlayer_page *page = &layer.pages[i];
		total += page->text.len;
		if (!str_is_utf8(buf_str(&page->text)) || page->sound > page->points ||
			page->letters > page->sound || page->text_share > 1)
			abort();
	}
	if (total > TEXT_BYTES)
		abort();
	textlayer_close(&layer);
	freelocale(locale);
}

static void read_inventory(struct str bytes, size_t step)
{
	struct inventory inventory;

	if (!inventory_open(&inventory, PAGES))
		return;
	feed(inventory_feed, &inventory, bytes, step);
	lines_end(&inventory.lines);
	inventory_close(&inventory);
}

static void read_pictures(struct str bytes, size_t step)
{
	struct pictures pictures;

	if (!pictures_open(&pictures, PAGES))
		return;
	feed(pictures_feed, &pictures, bytes, step);
	lines_end(&pictures.lines);
	for (unsigned i = 0; i < PAGES; i++)
		if (!(pictures.areas_in2[i] >= 0))
			abort();
	pictures_close(&pictures);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const readers[])(
		struct str bytes, size_t step) = { read_layer, read_inventory, read_pictures };

	if (size < 1)
		return 0;
	struct str bytes = { (const char *)data + 1, size - 1 };
	readers[data[0] % 3](bytes, data[0] < 128 ? 4096 : 3);
	return 0;
}
