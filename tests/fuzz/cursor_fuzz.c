/*
 * Any text as the cursor of a list. None is taken but the one that was made, for the tenant
 * and the list it was made for: the first 24 bytes of the input are a place, whose cursor is right
 * and altered anew.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/cursor.h"

enum { PLACE_BYTES = 24 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t key[CURSOR_KEY_BYTES] = { 7, 7, 7 };
static const struct cursor_scope mine = { { { { 1 } } }, "/v1/jobs" },
				 other = { { { { 2 } } }, "/v1/jobs" },
				 elsewhere = { { { { 1 } } }, "/v1/keys" };

static void must(bool good)
{
	if (!good)
		abort();
}

static void try_place(const uint8_t *bytes, uint8_t spoiled)
{
	struct cursor cursor, back;
	char text[CURSOR_TEXT_BYTES];

	memcpy(&cursor.created_us, bytes, sizeof cursor.created_us);
	memcpy(cursor.job_id.bytes, bytes + sizeof cursor.created_us, sizeof cursor.job_id.bytes);
	cursor_format(key, &mine, &cursor, text);
	must(cursor_parse(key, &mine, str_of(text), &back).kind == ERR_OK);
	must(back.created_us == cursor.created_us && id_eq(back.job_id, cursor.job_id));
	must(cursor_parse(key, &other, str_of(text), &back).kind == ERR_REJECT);
	must(cursor_parse(key, &elsewhere, str_of(text), &back).kind == ERR_REJECT);
	char *at = &text[spoiled % strlen(text)];
	*at = *at == 'A' ? 'B' : 'A';
	must(cursor_parse(key, &mine, str_of(text), &back).kind == ERR_REJECT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor cursor;

	must(cursor_parse(key, &mine, (struct str){ (const char *)data, size }, &cursor).kind ==
		ERR_REJECT);
	if (size > PLACE_BYTES)
		try_place(data, data[PLACE_BYTES]);
	return 0;
}
