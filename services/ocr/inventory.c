#include "inventory.h"

#include <stdlib.h>
#include <string.h>

static bool take(struct str *text, struct str prefix)
{
	if (!str_starts(*text, prefix))
		return false;
	*text = (struct str){ text->ptr + prefix.len, text->len - prefix.len };
	return true;
}

/* The digits at the start, consumed. */
static struct str take_digits(struct str *text)
{
	struct str digits = { text->ptr, 0 };

	while (digits.len < text->len && digits.ptr[digits.len] >= '0' &&
		digits.ptr[digits.len] <= '9')
		digits.len++;
	*text = (struct str){ text->ptr + digits.len, text->len - digits.len };
	return digits;
}

bool inventory_number(struct str *text, double *ret_number)
{
	struct str rest = *text;
	struct str whole = take_digits(&rest);
	double number = 0, weight = 1;

	if (whole.len == 0 || whole.len > 9)
		return false;
	for (size_t i = 0; i < whole.len; i++)
		number = number * 10 + (whole.ptr[i] - '0');
	if (take(&rest, STR("."))) {
		struct str fraction = take_digits(&rest);
		for (size_t i = 0; i < fraction.len && i < 9; i++) {
			weight /= 10;
			number += weight * (fraction.ptr[i] - '0');
		}
	}
	*text = rest;
	*ret_number = number;
	return true;
}

/* "Page    1 size:  595.28 x 841.89 pts (A4)" after "Page" */
static void take_size(struct inventory *inventory, struct str line)
{
	struct inventory_page page;
	uint64_t number;

	line = str_trim(line);
	if (!str_to_u64(take_digits(&line), &number) || number < 1 ||
		number > inventory->pages_max || !take(&line, STR(" size:")))
		return;
	line = str_trim(line);
	if (inventory_number(&line, &page.width_pt) && take(&line, STR(" x ")) &&
		inventory_number(&line, &page.height_pt))
		inventory->pages[number - 1] = page;
}

static void take_line(void *arg, struct str line)
{
	struct inventory *inventory = arg;

	if (take(&line, STR("Pages:")))
		str_to_u64(str_trim(line), &inventory->page_count);
	else if (take(&line, STR("Page ")))
		take_size(inventory, line);
	else if (str_eq(line, STR("Command Line Error: Incorrect password")))
		inventory->needs_password = true;
}

bool inventory_open(struct inventory *inventory, unsigned pages_max)
{
	memset(inventory, 0, sizeof *inventory);
	inventory->pages = calloc(pages_max, sizeof *inventory->pages);
	inventory->pages_max = pages_max;
	inventory->lines.fn = take_line;
	inventory->lines.arg = inventory;
	return inventory->pages != NULL;
}

void inventory_close(struct inventory *inventory)
{
	free(inventory->pages);
	inventory->pages = NULL;
}

void inventory_feed(void *arg, struct str bytes)
{
	struct inventory *inventory = arg;

	lines_feed(&inventory->lines, bytes);
}
