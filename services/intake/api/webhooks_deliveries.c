#include "api/webhooks_deliveries.h"

#include <stdio.h>
#include <string.h>

#include "api/api_store.h"
#include "api/query.h"
#include "api/webhooks.h"
#include "port/pg.h"
#include "port/web.h"
#include "webhook/view.h"

enum {
	WORD_MAX = 32,
	LIST_MAX_BYTES = QUERY_LIMIT_MAX * VIEW_DELIVERY_MAX_BYTES,
	FULL_MAX_BYTES = VIEW_DELIVERY_MAX_BYTES + VIEW_ATTEMPTS_MAX_BYTES,
	HEALTH_MAX_BYTES = WEBHOOK_ENDPOINTS_MAX * VIEW_HEALTH_MAX_BYTES,
	ASKED_MAX_BYTES = 256,
};

/* --- GET /v1/webhooks/{id}/deliveries --- */

struct list {
	struct query_page page;
	struct id endpoint_id;
	char state[WORD_MAX]; /* "" = any */
};

static struct err list_parse(struct call *call)
{
	static const char *const states[] = { "pending", "delivered", "failed", "cancelled", NULL };
	struct list *list = (struct list *)call;
	char id[ID_TEXT_BYTES], path[sizeof list->page.path];

	TRY(webhooks_id(call->exchange, "id", &list->endpoint_id));
	id_format(list->endpoint_id, id);
	snprintf(path, sizeof path, "/v1/webhooks/%s/deliveries", id);
	TRY(query_page_begin(&list->page, path, LIST_MAX_BYTES));
	if (!query_word(call->exchange, "state", states, list->state, sizeof list->state))
		return err_reject(ERR_CODE_BAD_PARAMETER, "state is not a state of deliveries");
	query_page_filter(&list->page, "state", list->state);
	return query_page_cursor(&list->page);
}

/* One row more than asked for says whether there is a next page. */
static struct err write_list(struct list *list, const struct deliveries_store_list *rows)
{
	size_t count = rows->count > list->page.limit ? list->page.limit : rows->count;

	buf_add_str(&list->page.body, STR("{\"items\":["));
	for (size_t i = 0; i < count; i++) {
		buf_add_str(&list->page.body, i == 0 ? STR("") : STR(","));
		TRY(view_delivery(&rows->items[i], &list->page.body));
	}
	buf_add_str(&list->page.body, STR("]"));
	if (rows->count > count)
		query_page_next(&list->page, &(struct cursor){ rows->created_us[count - 1],
						     rows->items[count - 1].delivery_id });
	buf_add_str(&list->page.body, STR("}"));
	return buf_check(&list->page.link);
}

static struct err list_run(struct call *call, struct pg *pg, struct arena *arena)
{
	struct list *list = (struct list *)call;
	struct deliveries_store_page page = { .endpoint = { call->from.who.tenant,
						      list->endpoint_id },
		.state = list->state[0] == '\0' ? NULL : list->state,
		.limit = (int64_t)list->page.limit + 1 };
	struct deliveries_store_list rows;
	struct webhook_endpoint endpoint;

	TRY(query_page_after(&list->page, &page.after));
	TRY(api_store_begin(pg, page.endpoint.tenant));
	TRY(webhook_store_get(pg, arena, &page.endpoint, &endpoint));
	TRY(deliveries_store_list(pg, arena, &page, &rows));
	TRY(pg_commit(pg));
	return write_list(list, &rows);
}

const struct call_route webhooks_deliveries_list = { .size = sizeof(struct list),
	.parse = list_parse,
	.run = list_run,
	.reply = query_page_reply,
	.free = query_page_free };

/* --- one of them --- */

struct one {
	struct call call;
	struct webhook_resend what; /* of the two that send again */
	struct webhooks_why why;
	char state[WORD_MAX];
	struct buf body;
};

static struct err parse_one(struct call *call)
{
	struct one *one = (struct one *)call;

	one->body = BUF(FULL_MAX_BYTES);
	codec_clear(&webhook_resend_requested, &one->what);
	TRY(webhooks_id(call->exchange, "id", &one->what.endpoint_id));
	if (webhooks_id(call->exchange, "delivery_id", &one->what.delivery_id).kind != ERR_OK)
		return err_reject(ERR_CODE_NOT_FOUND, "there is no such delivery");
	return err_ok();
}

static struct err get_run(struct call *call, struct pg *pg, struct arena *arena)
{
	struct one *one = (struct one *)call;
	const struct webhook_ref ref = { call->from.who.tenant, one->what.endpoint_id };
	struct webhook_endpoint endpoint;
	struct webhook_delivery delivery;

	TRY(api_store_begin(pg, ref.tenant));
	TRY(webhook_store_get(pg, arena, &ref, &endpoint));
	TRY(deliveries_store_get(pg, arena, &ref, one->what.delivery_id, &delivery));
	TRY(deliveries_store_attempts(pg, arena, ref.tenant, &delivery));
	TRY(pg_commit(pg));
	return view_delivery_full(&delivery, &one->body);
}

static void reply_one(struct call *call)
{
	call_reply_json(call->exchange, 200, NULL, &((struct one *)call)->body);
}

static void free_one(struct call *call)
{
	buf_done(&((struct one *)call)->body);
}

const struct call_route webhooks_deliveries_get = { .size = sizeof(struct one),
	.parse = parse_one,
	.run = get_run,
	.reply = reply_one,
	.free = free_one };

/* --- sending again --- */

static struct err resend_run(struct call *call, struct pg *pg, struct arena *arena)
{
	struct one *one = (struct one *)call;
	const struct command_env env = call_command_env(call->api, pg, arena);
	const struct command_caller caller = call_command_caller(&call->from);
	const struct webhook_request asked = webhooks_request(call, &env, &caller);

	return webhook_ask_resend(&asked, &one->what);
}

static void resend_reply(struct call *call)
{
	const struct webhook_resend *what = &((struct one *)call)->what;
	struct buf body SCOPED(buf_done) = BUF(ASKED_MAX_BYTES);
	char id[ID_TEXT_BYTES];

	id_format(id_is_nil(what->delivery_id) ? what->endpoint_id : what->delivery_id, id);
	buf_addf(&body, "{\"id\":\"%s\",\"state\":\"resending\"}", id);
	call_reply_json(call->exchange, 202, NULL, &body);
}

static struct err parse_one_bare(struct call *call)
{
	TRY(parse_one(call));
	return webhooks_check_bare(call->exchange);
}

const struct call_route webhooks_deliveries_resend = { .size = sizeof(struct one),
	.parse = parse_one_bare,
	.run = resend_run,
	.reply = resend_reply,
	.free = free_one };

struct filter {
	const char *state;
	int64_t from, to;
};

#define FILTER(member, kind) CODEC_FIELD(struct filter, member, CODEC_##kind, CODEC_PLAIN, false, 0)

static const struct codec_field filter_fields[] = { FILTER(state, TEXT), FILTER(from, TIME),
	FILTER(to, TIME), CODEC_END };
static const struct codec_type filter_type = { "resend", sizeof(struct filter), filter_fields };

/* Into the request, because the exchange may be gone when it is used. */
static struct err take_filter(struct one *one, const struct filter *filter)
{
	static const char *const states[] = { "delivered", "failed", "cancelled" };
	bool known = filter->state == NULL;

	if (known && filter->from == CODEC_NO_INT && filter->to == CODEC_NO_INT)
		return err_reject(ERR_CODE_BAD_PARAMETER, "state, from or to is missing");
	for (size_t i = 0; !known && i < sizeof states / sizeof *states; i++)
		known = strcmp(filter->state, states[i]) == 0;
	if (!known)
		return err_reject(
			ERR_CODE_BAD_PARAMETER, "state is not one of delivered, failed, cancelled");
	if (filter->from != CODEC_NO_INT && filter->to != CODEC_NO_INT &&
		filter->from >= filter->to)
		return err_reject(ERR_CODE_BAD_PARAMETER, "from is not before to");
	if (filter->state != NULL) {
		snprintf(one->state, sizeof one->state, "%s", filter->state);
		one->what.state = one->state;
	}
	one->what.from = filter->from;
	one->what.to = filter->to;
	return err_ok();
}

static struct err parse_filter(struct call *call)
{
	struct one *one = (struct one *)call;
	struct arena *arena = web_arena(call->exchange);
	struct filter filter;

	codec_clear(&webhook_resend_requested, &one->what);
	TRY(webhooks_id(call->exchange, "id", &one->what.endpoint_id));
	if (arena == NULL)
		return err_retry(ERR_CODE_OVERLOADED, "");
	struct err e =
		codec_read_exactly(&filter_type, NULL, web_body(call->exchange), arena, &filter);
	if (err_is(e, ERR_CODE_BAD_RECORD))
		e.code = ERR_CODE_BAD_REQUEST;
	TRY(webhooks_keep(e, &one->why));
	return take_filter(one, &filter);
}

const struct call_route webhooks_deliveries_resend_all = { .size = sizeof(struct one),
	.parse = parse_filter,
	.run = resend_run,
	.reply = resend_reply,
	.free = free_one };

/* --- GET /v1/health/integrations --- */

static struct err health_parse(struct call *call)
{
	((struct one *)call)->body = BUF(HEALTH_MAX_BYTES);
	return err_ok();
}

static struct err health_run(struct call *call, struct pg *pg, struct arena *arena)
{
	const struct tenant tenant = call->from.who.tenant;
	struct webhook_healths healths;

	TRY(api_store_begin(pg, tenant));
	TRY(deliveries_store_health(pg, arena, tenant, &healths));
	TRY(pg_commit(pg));
	return view_health(&healths, &((struct one *)call)->body);
}

const struct call_route webhooks_deliveries_health = { .size = sizeof(struct one),
	.parse = health_parse,
	.run = health_run,
	.reply = reply_one,
	.free = free_one };
