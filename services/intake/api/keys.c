#include "api/keys.h"

#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "api/query.h"
#include "api/webhooks.h"
#include "base/clock.h"
#include "frame/outbox.h"
#include "frame/relay.h"
#include "frame/service.h"
#include "intake.h"
#include "model/slice.h"
#include "port/digest.h"
#include "port/pg.h"
#include "port/web.h"
#include "port/web_reply.h"

enum { LIST_MAX_BYTES = QUERY_LIMIT_MAX * KEYS_JSON_MAX_BYTES };

/* One for create, rotate and revoke; each uses its part. */
struct request {
	struct call call;
	char key_id[API_KEYS_ID_BYTES];
	struct keys_wish wish;
	struct buf body;
	char location[32];
};

/* --- bodies --- */

struct create_body {
	int64_t expires_at;
};
static const struct codec_field create_fields[] = {
	CODEC_FIELD(struct create_body, expires_at, CODEC_TIME, CODEC_PLAIN, false, 0),
	CODEC_END,
};
static const struct codec_type create_type = { "key", sizeof(struct create_body), create_fields };

struct rotate_body {
	int64_t overlap_seconds;
};
static const struct codec_field rotate_fields[] = {
	CODEC_FIELD(struct rotate_body, overlap_seconds, CODEC_INT, CODEC_PLAIN, false, 0),
	CODEC_END,
};
static const struct codec_type rotate_type = { "rotation", sizeof(struct rotate_body),
	rotate_fields };

static struct err as_request(struct err e)
{
	return err_is(e, ERR_CODE_BAD_RECORD) ? err_reject(ERR_CODE_BAD_REQUEST, e.msg) : e;
}

/* A word of the list has no escapes, so its text is its JSON without the quotes. */
static struct err read_scopes(struct str json, unsigned *ret_scopes)
{
	const struct err wrong = err_reject(ERR_CODE_BAD_PARAMETER,
		"scopes: a list of extract, status, events, webhooks, audit, operate, admin, each "
		"once");
	struct str items[API_KEYS_SCOPES];
	size_t count;
	unsigned scopes = 0;

	if (!slice_items(json, items, API_KEYS_SCOPES, &count) || count == 0 ||
		count > API_KEYS_SCOPES)
		return wrong;
	for (size_t i = 0; i < count; i++) {
		const struct str item = items[i];
		if (item.len < 2 || item.ptr[0] != '"' || item.ptr[item.len - 1] != '"' ||
			!api_keys_add_scope((struct str){ item.ptr + 1, item.len - 2 }, &scopes))
			return wrong;
	}
	*ret_scopes = scopes;
	return err_ok();
}

struct err keys_read_create(
	struct str body, struct arena *arena, int64_t now_ms, struct keys_wish *ret_wish)
{
	struct create_body read;
	struct keys_wish wish = { .scopes = 0 };

	TRY(as_request(codec_read_exactly(&create_type, "scopes", body, arena, &read)));
	TRY(read_scopes(slice_member(body, "scopes"), &wish.scopes));
	if (read.expires_at != CODEC_NO_INT && read.expires_at <= now_ms)
		return err_reject(ERR_CODE_BAD_PARAMETER, "expires_at is not in the future");
	wish.expires_ms = read.expires_at;
	*ret_wish = wish;
	return err_ok();
}

struct err keys_read_rotate(struct str body, struct arena *arena, struct keys_wish *ret_wish)
{
	struct rotate_body read = { CODEC_NO_INT };

	if (slice_trim(body).len > 0)
		TRY(as_request(codec_read_exactly(&rotate_type, NULL, body, arena, &read)));
	if (read.overlap_seconds == CODEC_NO_INT)
		read.overlap_seconds = API_KEYS_OVERLAP_S;
	if (read.overlap_seconds < 0 || read.overlap_seconds > API_KEYS_OVERLAP_MAX_S)
		return err_reject(
			ERR_CODE_BAD_PARAMETER, "overlap_seconds is not between 0 and 2592000");
	*ret_wish = (struct keys_wish){ .overlap_s = read.overlap_seconds };
	return err_ok();
}

struct err keys_write(
	const struct api_keys_row *row, const char *text, bool calling, struct buf *out)
{
	const char *comma = "";

	buf_addf(out, "{\"id\":\"%s\"", row->key_id);
	codec_add_text("key", text, out);
	codec_add_text("state", row->state, out);
	codec_add_text("partner", row->partner, out);
	buf_add_str(out, STR(",\"scopes\":["));
	for (size_t bit = 0; bit < API_KEYS_SCOPES; bit++) {
		if ((row->scopes & 1U << bit) == 0)
			continue;
		buf_addf(out, "%s\"%s\"", comma, api_keys_scope_name(bit));
		comma = ",";
	}
	buf_addf(out, "],\"calling\":%s", calling ? "true" : "false");
	codec_add_time("created_at", row->created_at, out);
	codec_add_time("expires_at", row->expires_at, out);
	codec_add_time("revoked_at", row->revoked_at, out);
	codec_add_text("rotated_from", row->rotated_from, out);
	codec_add_text("created_by", row->created_by, out);
	buf_add_str(out, STR("}"));
	return buf_check(out);
}

/* --- what requests have in common --- */

static bool is_own(const struct call *call)
{
	return strcmp(call->from.who.partner, "self") == 0;
}

static bool is_calling(const struct call *call, const char *key_id)
{
	return strcmp(call->from.who.key_id, key_id) == 0;
}

static struct api_keys_work look(const struct call *call, struct pg *pg, struct arena *arena)
{
	return (struct api_keys_work){ .pg = pg,
		.arena = arena,
		.tenant = call->from.who.tenant,
		.partner = is_own(call) ? NULL : call->from.who.partner };
}

static struct err begin(
	const struct call *call, struct pg *pg, struct arena *arena, struct api_keys_work *ret_work)
{
	const struct command_env env = call_command_env(call->api, pg, arena);

	*ret_work = look(call, pg, arena);
	ret_work->outbox = outbox_new(arena, env.outbox);
	ret_work->actor = arena_printf(arena, "uk_%s", call->from.who.key_id);
	ret_work->reason = "asked for by the API";
	if (ret_work->outbox == NULL || ret_work->actor == NULL)
		return arena_overflow();
	outbox_set_origin(ret_work->outbox, call->from.traceparent, call->from.who.slug);
	TRY(pg_begin(pg));
	TRY(pg_set_tenant(pg, ret_work->tenant));
	return api_keys_hold(ret_work, call->from.who.key_id);
}

static struct err finish(const struct call *call, const struct api_keys_work *work)
{
	TRY(outbox_flush(work->outbox, work->pg));
	TRY(pg_commit(work->pg));
	relay_wake(service_relay(call->api->intake->service));
	return err_ok();
}

static struct err check_scopes(const struct call *call, unsigned scopes)
{
	if ((scopes & ~call->from.who.scopes) != 0)
		return err_reject(
			ERR_CODE_FORBIDDEN, "a key cannot hand out scopes it does not have");
	return err_ok();
}

static struct err parse_id(struct call *call)
{
	struct request *request = (struct request *)call;
	const struct str id = web_param(call->exchange, "id");

	request->body = BUF(KEYS_JSON_MAX_BYTES);
	if (!api_keys_is_id(id))
		return err_reject(ERR_CODE_NOT_FOUND, "there is no such key");
	memcpy(request->key_id, id.ptr, id.len);
	return err_ok();
}

/* There may be a key in it. */
static void free_request(struct call *call)
{
	struct request *request = (struct request *)call;

	if (request->body.ptr != NULL)
		digest_wipe(request->body.ptr, request->body.len);
	buf_done(&request->body);
}

static void reply_made(struct call *call)
{
	struct request *request = (struct request *)call;

	snprintf(request->location, sizeof request->location, "/v1/keys/%s", request->key_id);
	const struct web_field headers[] = { { "Location", str_of(request->location) },
		{ NULL, { NULL, 0 } } };
	call_reply_json(call->exchange, 201, headers, &request->body);
}

/* --- POST /v1/keys --- */

static struct err create_parse(struct call *call)
{
	struct request *request = (struct request *)call;
	struct arena *arena = web_arena(call->exchange);

	request->body = BUF(KEYS_JSON_MAX_BYTES);
	if (arena == NULL)
		return err_retry(ERR_CODE_OVERLOADED, "");
	return keys_read_create(web_body(call->exchange), arena, clock_wall_ms(), &request->wish);
}

static struct err create_run(struct call *call, struct pg *pg, struct arena *arena)
{
	struct request *request = (struct request *)call;
	const struct api_keys_wish wish = { call->from.who.partner, request->wish.scopes,
		request->wish.expires_ms };
	struct api_keys_made made SCOPED(api_keys_wipe) = { .id = "" };
	struct api_keys_work work;
	struct api_keys_row row;

	TRY(check_scopes(call, wish.scopes));
	TRY(begin(call, pg, arena, &work));
	TRY(api_keys_create(&work, &wish, &made, &row));
	TRY(keys_write(&row, made.text, false, &request->body));
	memcpy(request->key_id, made.id, sizeof request->key_id);
	return finish(call, &work);
}

const struct call_route keys_create = { .size = sizeof(struct request),
	.parse = create_parse,
	.run = create_run,
	.reply = reply_made,
	.free = free_request };

/* --- POST /v1/keys/{id}/rotate --- */

static struct err rotate_parse(struct call *call)
{
	struct request *request = (struct request *)call;
	struct arena *arena = web_arena(call->exchange);

	TRY(parse_id(call));
	if (arena == NULL)
		return err_retry(ERR_CODE_OVERLOADED, "");
	return keys_read_rotate(web_body(call->exchange), arena, &request->wish);
}

static struct err rotate_run(struct call *call, struct pg *pg, struct arena *arena)
{
	struct request *request = (struct request *)call;
	struct api_keys_made made SCOPED(api_keys_wipe) = { .id = "" };
	struct api_keys_work work;
	struct api_keys_row old, row;

	TRY(begin(call, pg, arena, &work));
	TRY(api_keys_get(&work, request->key_id, &old));
	if (strcmp(old.partner, call->from.who.partner) != 0)
		return err_reject(ERR_CODE_FORBIDDEN, "a partner rotates its keys itself");
	TRY(check_scopes(call, old.scopes));
	TRY(api_keys_rotate(&work, &old, request->wish.overlap_s, &made, &row));
	TRY(keys_write(&row, made.text, false, &request->body));
	memcpy(request->key_id, made.id, sizeof request->key_id);
	return finish(call, &work);
}

const struct call_route keys_rotate = { .size = sizeof(struct request),
	.parse = rotate_parse,
	.run = rotate_run,
	.reply = reply_made,
	.free = free_request };

/* --- DELETE /v1/keys/{id} --- */

static struct err revoke_run(struct call *call, struct pg *pg, struct arena *arena)
{
	struct request *request = (struct request *)call;
	struct api_keys_work work;
	struct api_keys_row row;
	bool changed;

	TRY(begin(call, pg, arena, &work));
	TRY(api_keys_revoke(&work, request->key_id, &changed, &row));
	TRY(keys_write(&row, NULL, is_calling(call, row.key_id), &request->body));
	return finish(call, &work);
}

static void revoke_reply(struct call *call)
{
	struct request *request = (struct request *)call;

	front_forget(call->api->guards.front, call->from.who.tenant, request->key_id);
	call_reply_json(call->exchange, 200, NULL, &request->body);
}

const struct call_route keys_revoke = { .size = sizeof(struct request),
	.parse = parse_id,
	.run = revoke_run,
	.reply = revoke_reply,
	.free = free_request };

/* --- GET /v1/keys --- */

static struct err list_parse(struct call *call)
{
	struct query_page *page = (struct query_page *)call;

	TRY(query_page_begin(page, "/v1/keys", LIST_MAX_BYTES));
	return query_page_cursor(page);
}

/* A cursor holds a UUID: the id of a key is its first four bytes. */
static void id_of_cursor(const struct cursor *cursor, char *ret_key_id)
{
	char text[ID_TEXT_BYTES];

	id_format(cursor->job_id, text);
	snprintf(ret_key_id, API_KEYS_ID_BYTES, "%.8s", text);
}

static struct cursor cursor_of(const struct api_keys_row *row)
{
	struct cursor cursor = { .created_us = row->created_us };
	char text[ID_TEXT_BYTES];

	snprintf(text, sizeof text, "%.8s-0000-0000-0000-000000000000", row->key_id);
	(void)id_parse(str_of(text), &cursor.job_id);
	return cursor;
}

/* One row more than asked for says whether there is a next page. */
static struct err write_list(struct query_page *page, const struct api_keys_rows *rows)
{
	size_t count = rows->count > page->limit ? page->limit : rows->count;

	buf_add_str(&page->body, STR("{\"items\":["));
	for (size_t i = 0; i < count; i++) {
		buf_add_str(&page->body, i == 0 ? STR("") : STR(","));
		TRY(keys_write(&rows->items[i], NULL,
			is_calling(&page->call, rows->items[i].key_id), &page->body));
	}
	buf_add_str(&page->body, STR("]"));
	if (rows->count > count) {
		const struct cursor last = cursor_of(&rows->items[count - 1]);
		query_page_next(page, &last);
	}
	buf_add_str(&page->body, STR("}"));
	TRY(buf_check(&page->link));
	return buf_check(&page->body);
}

static struct err list_run(struct call *call, struct pg *pg, struct arena *arena)
{
	struct query_page *page = (struct query_page *)call;
	const struct api_keys_work work = look(call, pg, arena);
	char before_id[API_KEYS_ID_BYTES];
	struct api_keys_rows rows;
	struct cursor after;

	TRY(query_page_after(page, &after));
	id_of_cursor(&after, before_id);
	const struct api_keys_page which = { after.created_us, before_id,
		(int64_t)page->limit + 1 };
	TRY(pg_begin(pg));
	TRY(pg_set_tenant(pg, work.tenant));
	TRY(api_keys_list(&work, &which, &rows));
	TRY(pg_commit(pg));
	return write_list(page, &rows);
}

const struct call_route keys_list = { .size = sizeof(struct query_page),
	.parse = list_parse,
	.run = list_run,
	.reply = query_page_reply,
	.free = query_page_free };
