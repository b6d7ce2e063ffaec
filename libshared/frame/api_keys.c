#include "frame/api_keys.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/encode.h"
#include "frame/operation.h"
#include "port/pg.h"
#include "port/seal_key.h"

enum { SECRET_BYTES = 32, ID_RANDOM_BYTES = 4, TRIES = 5 };

#define COLUMNS                                                                                    \
	"key_id, CASE WHEN revoked_at IS NOT NULL THEN 'revoked'"                                  \
	" WHEN expires_at <= statement_timestamp() THEN 'expired' ELSE 'active' END, partner,"     \
	" array_to_string(scopes, ','), created_at, expires_at, revoked_at, rotated_from,"         \
	" created_by, (extract(epoch FROM created_at) * 1000000)::bigint"
#define OF_ONE " WHERE tenant_id = $1 AND key_id = $2 AND partner = coalesce($3::text, partner)"

static const struct pg_statement lock = { "api_keys_lock",
	"SELECT pg_advisory_xact_lock(hashtextextended('api keys ' || $1::uuid::text, 0))" };
static const struct pg_statement count_live = { "api_keys_count",
	"SELECT count(*) FROM api_keys WHERE tenant_id = $1 AND revoked_at IS NULL"
	" AND (expires_at IS NULL OR expires_at > statement_timestamp())" };
static const struct pg_statement insert = { "api_keys_insert",
	"INSERT INTO api_keys (tenant_id, key_id, key_hash, partner, scopes, expires_at,"
	" created_by, rotated_from, created_at, lineage) VALUES ($1, $2, $3, $4,"
	" string_to_array($5::text, ','), $6, $7, $8, clock_timestamp(),"
	" (SELECT coalesce(k.lineage, k.key_id) FROM api_keys k"
	" WHERE k.tenant_id = $1 AND k.key_id = $8))"
	" ON CONFLICT (tenant_id, key_id) DO NOTHING RETURNING " COLUMNS };
static const struct pg_statement select_one = { "api_keys_get",
	"SELECT " COLUMNS " FROM api_keys" OF_ONE " FOR UPDATE" };
static const struct pg_statement hold = { "api_keys_hold",
	"SELECT 1 FROM api_keys k JOIN tenants t ON t.tenant_id = k.tenant_id"
	" WHERE k.tenant_id = $1 AND k.key_id = $2 AND k.revoked_at IS NULL AND t.state = 'active'"
	" AND (k.expires_at IS NULL OR k.expires_at > statement_timestamp()) FOR SHARE OF k" };
static const struct pg_statement shorten = { "api_keys_shorten",
	"UPDATE api_keys SET expires_at = least(expires_at,"
	" statement_timestamp() + $3::bigint * interval '1 second')"
	" WHERE tenant_id = $1 AND key_id = $2" };
/* what the old key took the place of, and what took the old one's place before */
static const struct pg_statement end_lineage = { "api_keys_end_lineage",
	"UPDATE api_keys k SET revoked_at = statement_timestamp() FROM api_keys old"
	" WHERE old.tenant_id = $1 AND old.key_id = $2 AND k.tenant_id = $1"
	" AND k.revoked_at IS NULL AND k.key_id NOT IN ($2, $3)"
	" AND (k.key_id = old.rotated_from OR k.rotated_from = old.key_id)" };
static const struct pg_statement revoke = { "api_keys_revoke",
	"UPDATE api_keys SET revoked_at = statement_timestamp()" OF_ONE
	" AND revoked_at IS NULL RETURNING " COLUMNS };
static const struct pg_statement select_page = { "api_keys_list",
	"SELECT " COLUMNS " FROM api_keys WHERE tenant_id = $1"
	" AND (created_at, key_id) < ('epoch'::timestamptz + $2::bigint * interval"
	" '1 microsecond', $3::text) AND partner = coalesce($4::text, partner)"
	" ORDER BY created_at DESC, key_id DESC LIMIT $5::int" };

/* --- scopes --- */

static const char *const names[API_KEYS_SCOPES + 1] = { "extract", "status", "events", "webhooks",
	"audit", "operate", "admin", NULL };

const char *api_keys_scope_name(size_t bit)
{
	return names[bit];
}

bool api_keys_add_scope(struct str name, unsigned *scopes)
{
	for (size_t i = 0; i < API_KEYS_SCOPES; i++) {
		if (!str_eq(str_of(names[i]), name))
			continue;
		bool fresh = (*scopes & 1U << i) == 0;
		*scopes |= 1U << i;
		return fresh;
	}
	return false;
}

struct err api_keys_read_scopes(struct str list, unsigned *ret_scopes)
{
	unsigned scopes = 0;
	struct str rest = list;

	do {
		if (!api_keys_add_scope(str_cut(rest, ',', &rest), &scopes))
			return err_reject(ERR_CODE_BAD_PARAMETER,
				"scopes: of extract, status, events, webhooks, audit, operate, "
				"admin, each once");
	} while (rest.len > 0);
	*ret_scopes = scopes;
	return err_ok();
}

void api_keys_write_scopes(unsigned scopes, char *ret_text)
{
	size_t len = 0;

	ret_text[0] = '\0';
	for (size_t i = 0; i < API_KEYS_SCOPES; i++)
		if ((scopes & 1U << i) != 0)
			len += (size_t)snprintf(ret_text + len, API_KEYS_SCOPES_BYTES - len, "%s%s",
				len == 0 ? "" : ",", names[i]);
}

/* What a later version may have written there is no scope of ours. */
unsigned api_keys_scopes_of(struct str list)
{
	struct str rest = list;
	unsigned scopes = 0;

	while (rest.len > 0)
		(void)api_keys_add_scope(str_cut(rest, ',', &rest), &scopes);
	return scopes;
}

/* --- keys --- */

bool api_keys_is_id(struct str text)
{
	if (text.len != API_KEYS_ID_BYTES - 1)
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (strchr("0123456789abcdef", text.ptr[i]) == NULL || text.ptr[i] == '\0')
			return false;
	return true;
}

void api_keys_make(const struct seal_random *random, struct api_keys_made *ret_key)
{
	uint8_t secret[SECRET_BYTES], id[ID_RANDOM_BYTES];
	char text[44];

	seal_key_fill(random, id, sizeof id);
	seal_key_fill(random, secret, sizeof secret);
	encode_hex(id, sizeof id, ret_key->id);
	encode_base64url(secret, sizeof secret, text);
	snprintf(ret_key->text, sizeof ret_key->text, "uk_%s_%s", ret_key->id, text);
	digest_sha256(str_of(ret_key->text), ret_key->hash);
	digest_wipe(secret, sizeof secret);
	digest_wipe(text, sizeof text);
}

void api_keys_wipe(struct api_keys_made *key)
{
	digest_wipe(key, sizeof *key);
}

/* --- rows --- */

static const char *copy_text(
	struct arena *arena, const struct pg_rows *rows, size_t row, int column)
{
	const char *text = pg_get_text(rows, row, column);

	return text == NULL ? NULL : arena_strdup(arena, str_of(text));
}

static int64_t time_or_none(const struct pg_rows *rows, size_t row, int column)
{
	return pg_is_null(rows, row, column) ? CODEC_NO_INT : pg_get_time(rows, row, column);
}

static struct err read_row(
	const struct pg_rows *rows, size_t row, struct arena *arena, struct api_keys_row *ret_row)
{
	const struct api_keys_row read = {
		.key_id = copy_text(arena, rows, row, 0),
		.state = copy_text(arena, rows, row, 1),
		.partner = copy_text(arena, rows, row, 2),
		.scopes = api_keys_scopes_of(str_of(pg_get_text(rows, row, 3))),
		.created_at = pg_get_time(rows, row, 4),
		.expires_at = time_or_none(rows, row, 5),
		.revoked_at = time_or_none(rows, row, 6),
		.rotated_from = copy_text(arena, rows, row, 7),
		.created_by = copy_text(arena, rows, row, 8),
		.created_us = pg_get_int(rows, row, 9),
	};

	if (read.key_id == NULL || read.state == NULL || read.partner == NULL)
		return arena_overflow();
	*ret_row = read;
	return err_ok();
}

static struct err no_such_key(void)
{
	return err_reject(ERR_CODE_NOT_FOUND, "there is no such key");
}

static struct err tell(const struct api_keys_work *work, const char *action, const char *key_id,
	const char *instead_of)
{
	bool rotated = instead_of != NULL;
	const char *object = arena_printf(work->arena, "key uk_%s%s%s", key_id,
		rotated ? " instead of uk_" : "", rotated ? instead_of : "");

	if (object == NULL)
		return arena_overflow();
	return operation_emit(work->outbox, &(struct operation){ .id = id_v7(),
						    .tenant = work->tenant,
						    .actor = work->actor,
						    .action = action,
						    .object = object,
						    .reason = work->reason,
						    .occurred_at = clock_wall_ms(),
						    .count = CODEC_NO_INT });
}

/* --- making --- */

static struct err check_count(const struct api_keys_work *work)
{
	const struct pg_arg arg = pg_id(work->tenant.id);
	const struct pg_rows *rows;

	TRY(pg_push(work->pg, &lock, &arg, 1));
	TRY(pg_query(work->pg, work->arena, &count_live, &arg, 1, &rows));
	return pg_get_int(rows, 0, 0) < API_KEYS_LIVE_MAX
		       ? err_ok()
		       : err_reject(ERR_CODE_TOO_MANY, "a tenant has at most 200 valid keys");
}

/* An id is 4 random bytes, so a tenant with many keys may meet one it has. */
static struct err add(const struct api_keys_work *work, const struct api_keys_wish *wish,
	const char *rotated_from, struct api_keys_made *made, struct api_keys_row *ret_row)
{
	char scopes[API_KEYS_SCOPES_BYTES];
	const struct pg_rows *rows = NULL;

	api_keys_write_scopes(wish->scopes, scopes);
	for (int i = 0; i < TRIES; i++) {
		api_keys_make(NULL, made);
		const struct pg_arg args[] = { pg_id(work->tenant.id), pg_text(made->id),
			pg_bytes((struct str){ (const char *)made->hash, sizeof made->hash }),
			pg_text(wish->partner), pg_text(scopes), pg_time_or_null(wish->expires_ms),
			pg_text(work->actor), pg_text(rotated_from) };
		TRY(pg_query(work->pg, work->arena, &insert, args, 8, &rows));
		if (pg_count(rows) == 1)
			return read_row(rows, 0, work->arena, ret_row);
	}
	return err_retry(ERR_CODE_TRY_AGAIN, "no free key id was found");
}

struct err api_keys_create(const struct api_keys_work *work, const struct api_keys_wish *wish,
	struct api_keys_made *ret_made, struct api_keys_row *ret_row)
{
	TRY(check_count(work));
	TRY(add(work, wish, NULL, ret_made, ret_row));
	return tell(work, "key.created", ret_made->id, NULL);
}

/* --- changing --- */

struct err api_keys_hold(const struct api_keys_work *work, const char *key_id)
{
	const struct pg_arg args[] = { pg_id(work->tenant.id), pg_text(key_id) };
	const struct pg_rows *rows;

	TRY(pg_query(work->pg, work->arena, &hold, args, 2, &rows));
	return pg_count(rows) == 1 ? err_ok() : err_reject(ERR_CODE_UNAUTHENTICATED, "");
}

struct err api_keys_get(
	const struct api_keys_work *work, const char *key_id, struct api_keys_row *ret_row)
{
	const struct pg_arg args[] = { pg_id(work->tenant.id), pg_text(key_id),
		pg_text(work->partner) };
	const struct pg_rows *rows;

	TRY(pg_query(work->pg, work->arena, &select_one, args, 3, &rows));
	return pg_count(rows) == 0 ? no_such_key() : read_row(rows, 0, work->arena, ret_row);
}

struct err api_keys_rotate(const struct api_keys_work *work, const struct api_keys_row *old,
	int64_t overlap_s, struct api_keys_made *ret_made, struct api_keys_row *ret_row)
{
	const struct api_keys_wish wish = { old->partner, old->scopes, old->expires_at };

	if (strcmp(old->state, "active") != 0)
		return err_reject(ERR_CODE_KEY_ENDED, "a key that has ended is not rotated");
	TRY(check_count(work));
	TRY(add(work, &wish, old->key_id, ret_made, ret_row));
	const struct pg_arg ends[] = { pg_id(work->tenant.id), pg_text(old->key_id),
		pg_int(overlap_s) };
	const struct pg_arg lineage[] = { pg_id(work->tenant.id), pg_text(old->key_id),
		pg_text(ret_made->id) };
	TRY(pg_push(work->pg, &shorten, ends, 3));
	TRY(pg_push(work->pg, &end_lineage, lineage, 3));
	return tell(work, "key.rotated", ret_made->id, old->key_id);
}

struct err api_keys_revoke(const struct api_keys_work *work, const char *key_id, bool *ret_changed,
	struct api_keys_row *ret_row)
{
	const struct pg_arg args[] = { pg_id(work->tenant.id), pg_text(key_id),
		pg_text(work->partner) };
	const struct pg_rows *rows;

	TRY(pg_query(work->pg, work->arena, &revoke, args, 3, &rows));
	*ret_changed = pg_count(rows) == 1;
	if (!*ret_changed)
		return api_keys_get(work, key_id, ret_row);
	TRY(read_row(rows, 0, work->arena, ret_row));
	return tell(work, "key.revoked", key_id, NULL);
}

/* --- listing --- */

struct err api_keys_list(const struct api_keys_work *work, const struct api_keys_page *page,
	struct api_keys_rows *ret_rows)
{
	const struct pg_arg args[] = { pg_id(work->tenant.id), pg_int(page->before_us),
		pg_text(page->before_id), pg_text(work->partner), pg_int(page->limit) };
	const struct pg_rows *rows;

	TRY(pg_query(work->pg, work->arena, &select_page, args, 5, &rows));
	struct api_keys_rows list = { .count = pg_count(rows) };
	list.items = arena_alloc(work->arena, (list.count + 1) * sizeof *list.items);
	if (list.items == NULL)
		return arena_overflow();
	for (size_t i = 0; i < list.count; i++)
		TRY(read_row(rows, i, work->arena, &list.items[i]));
	*ret_rows = list;
	return err_ok();
}
