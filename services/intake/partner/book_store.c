#include "partner/book_store.h"

#include <stdio.h>

#include "port/pg.h"

static const struct pg_statement load = { "partner_book",
	"SELECT p.slug, t.tenant_id, t.slug FROM partners p "
	"LEFT JOIN (partner_tenants g JOIN tenants t"
	" ON t.tenant_id = g.tenant_id AND t.state = 'active')"
	" ON g.partner = p.slug AND g.revoked_at IS NULL "
	"WHERE p.revoked_at IS NULL "
	"ORDER BY p.slug COLLATE \"C\", t.slug COLLATE \"C\" LIMIT 50001" };

static void copy_slug(char *to, const char *slug)
{
	snprintf(to, PARTNER_SLUG_BYTES, "%s", slug == NULL ? "" : slug);
}

struct err book_store_load(
	struct pg *pg, struct arena *arena, const struct partner_row **ret_rows, size_t *ret_count)
{
	const struct pg_rows *found;

	TRY(pg_query(pg, arena, &load, NULL, 0, &found));
	struct partner_row *rows = arena_alloc(arena, (pg_count(found) + 1) * sizeof *rows);
	if (rows == NULL)
		return arena_overflow();
	for (size_t i = 0; i < pg_count(found) && i < BOOK_STORE_ROWS_MAX; i++) {
		copy_slug(rows[i].partner, pg_get_text(found, i, 0));
		rows[i].tenant.tenant.id = pg_get_id(found, i, 1);
		copy_slug(rows[i].tenant.slug, pg_get_text(found, i, 2));
	}
	*ret_rows = rows;
	*ret_count = pg_count(found);
	return err_ok();
}
