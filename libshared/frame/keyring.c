#include "frame/keyring.h"

#include "port/pg.h"

static const struct pg_statement select_key = { "keyring_select",
	"SELECT version, wrapped FROM intake.v1_tenant_keys WHERE tenant_id = $1"
	" AND ($2::int = 0 OR version = $2::int) ORDER BY version DESC LIMIT 1" };

static void wipe(void *arg)
{
	seal_key_wipe(arg);
}

struct err keyring_unwrap(struct arena *arena, const struct seal_key *master,
	const struct seal_key_row *row, struct str wrapped, const struct seal_key **ret_key)
{
	struct seal_key *key = arena_alloc(arena, sizeof *key);

	if (wrapped.ptr == NULL)
		return err_reject(ERR_CODE_SECRET_MISSING, "the tenant has no such key");
	if (key == NULL || !arena_defer(arena, wipe, key))
		return arena_overflow();
	TRY(seal_key_unwrap(master, row, wrapped, key));
	*ret_key = key;
	return err_ok();
}

struct err keyring_load(struct pg *pg, struct arena *arena, const struct seal_key *master,
	struct seal_key_row *row, const struct seal_key **ret_key)
{
	const struct pg_rows *rows;
	const struct pg_arg args[] = { pg_id(row->tenant.id), pg_int(row->version) };
	struct str wrapped = { NULL, 0 };

	TRY(pg_query(pg, arena, &select_key, args, 2, &rows));
	if (pg_count(rows) > 0) {
		row->version = (uint32_t)pg_get_int(rows, 0, 0);
		wrapped = pg_get_bytes(rows, 0, 1);
	}
	return keyring_unwrap(arena, master, row, wrapped, ret_key);
}
