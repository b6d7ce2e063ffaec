/* The one question of the book. */
#ifndef ESTEIRA_INTAKE_PARTNER_BOOK_STORE_H
#define ESTEIRA_INTAKE_PARTNER_BOOK_STORE_H

#include "partner/book.h"

struct pg;

enum { BOOK_STORE_ROWS_MAX = 50000 };

/* All there is, as partner_book_take wants it, in the arena; of more than BOOK_STORE_ROWS_MAX the
 * first, and *ret_count says one more. Role esteira_frame_intake. Failures of pg_query; ERR_REJECT
 * record-too-large: the arena is full. */
struct err book_store_load(struct pg *pg, struct arena *arena, const struct partner_row **ret_rows,
	size_t *ret_count) ERR_MUST_USE;

#endif
