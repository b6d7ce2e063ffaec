/*
 * What intake makes of the data of a partner's event: what tests/contract/test_partner_types.py
 * holds against schemas/partner/.
 *
 *   contract-partner-data TYPE      reads the data, writes what goes into the suite
 *
 * Exit code: 0, 1 (refused; why is on standard error), 2 usage.
 */
#include <stdio.h>

#include "partner/types.h"

enum { DATA_MAX = 256 * 1024, ARENA_BYTES = 2 << 20 };

int main(int argc, char **argv)
{
	struct arena *arena SCOPED(arena_drop) = arena_new(ARENA_BYTES);
	const struct types_row *row = argc == 2 ? types_find(argv[1]) : NULL;
	char *data = arena == NULL ? NULL : arena_alloc(arena, DATA_MAX);
	struct str json;

	if (row == NULL || data == NULL)
		return 2;
	size_t len = fread(data, 1, DATA_MAX, stdin);
	struct err e = types_rewrite(row, (struct str){ data, len }, arena, &json);
	if (e.kind == ERR_OK)
		puts(json.ptr);
	else
		fprintf(stderr, "%s: %s\n", err_code_name(e.code), e.msg);
	return e.kind == ERR_OK ? 0 : 1;
}
