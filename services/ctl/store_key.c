#include "store_key.h"

#include "frame/outbox.h"
#include "port/pg.h"
#include "store.h"
#include "store_partner.h"

enum { LIST_MAX = 100000 };

/* Behind every key there is: year 9999, microseconds. */
static const int64_t newest_us = INT64_C(253402214400000000);

static struct err begin(struct pg *pg, struct arena *arena, const struct store_key_change *change,
	struct api_keys_work *ret_work)
{
	*ret_work = (struct api_keys_work){ .pg = pg,
		.arena = arena,
		.outbox = outbox_new(arena, change->outbox),
		.tenant = change->tenant,
		.actor = change->who,
		.reason = "estctl key" };
	if (ret_work->outbox == NULL)
		return arena_overflow();
	outbox_set_origin(ret_work->outbox, NULL, change->tenant_slug);
	TRY(store_begin_in(pg, "intake"));
	return pg_set_tenant(pg, change->tenant);
}

static struct err finish(const struct api_keys_work *work)
{
	TRY(outbox_flush(work->outbox, work->pg));
	return pg_commit(work->pg);
}

/* --- create --- */

static struct err create(struct pg *pg, struct arena *arena, const struct store_key_change *change,
	const struct api_keys_wish *wish, struct store_key_made *ret_made)
{
	struct api_keys_work work;

	TRY(begin(pg, arena, change, &work));
	TRY(store_partner_check(pg, arena, wish->partner, change->tenant));
	TRY(api_keys_create(&work, wish, &ret_made->made, &ret_made->row));
	return finish(&work);
}

struct err store_key_create(struct pg *pg, struct arena *arena,
	const struct store_key_change *change, const struct api_keys_wish *wish,
	struct store_key_made *ret_made)
{
	return store_undo(pg, create(pg, arena, change, wish, ret_made));
}

/* --- rotate --- */

static struct err rotate(struct pg *pg, struct arena *arena, const struct store_key_change *change,
	const struct store_key_rotation *rotation, struct store_key_made *ret_made)
{
	struct api_keys_work work;
	struct api_keys_row old;

	TRY(begin(pg, arena, change, &work));
	TRY(api_keys_get(&work, rotation->key_id, &old));
	TRY(store_partner_check(pg, arena, old.partner, change->tenant));
	TRY(api_keys_rotate(&work, &old, rotation->overlap_s, &ret_made->made, &ret_made->row));
	return finish(&work);
}

struct err store_key_rotate(struct pg *pg, struct arena *arena,
	const struct store_key_change *change, const struct store_key_rotation *rotation,
	struct store_key_made *ret_made)
{
	return store_undo(pg, rotate(pg, arena, change, rotation, ret_made));
}

/* --- revoke --- */

static struct err revoke(struct pg *pg, struct arena *arena, const struct store_key_change *change,
	const char *key_id, bool *ret_changed)
{
	struct api_keys_work work;
	struct api_keys_row row;

	TRY(begin(pg, arena, change, &work));
	TRY(api_keys_revoke(&work, key_id, ret_changed, &row));
	return finish(&work);
}

struct err store_key_revoke(struct pg *pg, struct arena *arena,
	const struct store_key_change *change, const char *key_id, bool *ret_changed)
{
	bool changed = false;

	TRY(store_undo(pg, revoke(pg, arena, change, key_id, &changed)));
	*ret_changed = changed;
	return err_ok();
}

/* --- list --- */

#define KEY(member, kind, required)                                                                \
	CODEC_FIELD(struct store_key, member, kind, CODEC_PLAIN, required, 0)

static const struct codec_field key_fields[] = {
	KEY(key_id, CODEC_TEXT, true),
	KEY(state, CODEC_TEXT, true),
	KEY(partner, CODEC_TEXT, true),
	KEY(scopes, CODEC_TEXT, true),
	KEY(created_at, CODEC_TIME, true),
	KEY(expires_at, CODEC_TIME, false),
	KEY(revoked_at, CODEC_TIME, false),
	KEY(rotated_from, CODEC_TEXT, false),
	KEY(created_by, CODEC_TEXT, false),
	CODEC_END,
};

const struct codec_type store_key_rows = { "estctl.key", sizeof(struct store_key), key_fields };

struct err store_key_of(
	const struct api_keys_row *row, struct arena *arena, struct store_key *ret_key)
{
	char *scopes = arena_alloc(arena, API_KEYS_SCOPES_BYTES);

	if (scopes == NULL)
		return arena_overflow();
	api_keys_write_scopes(row->scopes, scopes);
	*ret_key =
		(struct store_key){ row->key_id, row->state, row->partner, scopes, row->created_at,
			row->expires_at, row->revoked_at, row->rotated_from, row->created_by };
	return err_ok();
}

static struct err list(
	struct pg *pg, struct arena *arena, struct tenant tenant, struct api_keys_rows *ret_rows)
{
	const struct api_keys_work work = { .pg = pg, .arena = arena, .tenant = tenant };
	const struct api_keys_page page = { newest_us, "", LIST_MAX };

	TRY(store_begin_in(pg, "intake"));
	TRY(pg_set_tenant(pg, tenant));
	TRY(api_keys_list(&work, &page, ret_rows));
	return pg_commit(pg);
}

struct err store_key_list(
	struct pg *pg, struct arena *arena, struct tenant tenant, struct codec_list *ret_rows)
{
	struct api_keys_rows rows;

	TRY(store_undo(pg, list(pg, arena, tenant, &rows)));
	struct store_key *keys = arena_alloc(arena, rows.count * sizeof *keys + 1);
	if (keys == NULL)
		return arena_overflow();
	for (size_t i = 0; i < rows.count; i++)
		TRY(store_key_of(&rows.items[i], arena, &keys[i]));
	*ret_rows = (struct codec_list){ keys, rows.count };
	return err_ok();
}
