#include "api/deadletters.h"

#include <string.h>

#include "api/api.h"
#include "api/api_store.h"
#include "api/deadletters_store.h"
#include "api/query.h"
#include "frame/relay.h"
#include "frame/service.h"
#include "intake.h"
#include "model/codec.h"
#include "port/pg.h"
#include "port/web.h"
#include "port/web_reply.h"

enum {
	WORD_MAX = 32,
	LIST_MAX_BYTES = QUERY_LIMIT_MAX * DEADLETTERS_JSON_MAX_BYTES,
};

#define FIELD(name, member, kind, required)                                                        \
	{                                                                                          \
		(name), (kind), CODEC_PLAIN, (required),                                           \
			offsetof(struct deadletters_view, member), 0, NULL                         \
	}

static const struct codec_field fields[] = {
	FIELD("id", id, CODEC_ID, true),
	FIELD("service", service, CODEC_TEXT, true),
	FIELD("topic", topic, CODEC_TEXT, true),
	FIELD("state", state, CODEC_TEXT, true),
	FIELD("event_id", event_id, CODEC_ID, false),
	FIELD("ordering_key", ordering_key, CODEC_TEXT, false),
	FIELD("error_class", error.class, CODEC_TEXT, true),
	FIELD("error_code", error.code, CODEC_TEXT, false),
	FIELD("error_message", error.message, CODEC_TEXT, false),
	FIELD("attempts", attempts, CODEC_INT, true),
	FIELD("redrives", redrives, CODEC_INT, true),
	FIELD("blocks", blocks, CODEC_BOOL, true),
	FIELD("first_failed_at", times.first_failed_at, CODEC_TIME, false),
	FIELD("created_at", times.created_at, CODEC_TIME, true),
	FIELD("updated_at", times.updated_at, CODEC_TIME, true),
	CODEC_END,
};

static const struct codec_type view_type = { "dead_letter", sizeof(struct deadletters_view),
	fields };

struct err deadletters_write(const struct deadletters_view *letter, struct buf *out)
{
	return codec_write(&view_type, letter, CODEC_TO_CLIENT, out);
}

static struct err read_id(struct web_exchange *exchange, struct id *ret_id)
{
	if (!id_parse(web_param(exchange, "id"), ret_id))
		return err_reject(ERR_CODE_NOT_FOUND, "there is no such dead letter");
	return err_ok();
}

/* --- GET /v1/dead-letters/{id} --- */

struct get {
	struct call call;
	struct id id;
	struct buf body;
};

static struct err get_parse(struct call *call)
{
	struct get *get = (struct get *)call;

	get->body = BUF(DEADLETTERS_JSON_MAX_BYTES);
	return read_id(call->exchange, &get->id);
}

static struct err get_run(struct call *call, struct pg *pg, struct arena *arena)
{
	struct get *get = (struct get *)call;
	const struct tenant tenant = call->from.who.tenant;
	struct deadletters_view letter;

	TRY(api_store_begin(pg, tenant));
	TRY(deadletters_store_get(pg, arena, tenant, get->id, &letter));
	TRY(pg_commit(pg));
	return deadletters_write(&letter, &get->body);
}

static void get_reply(struct call *call)
{
	call_reply_json(call->exchange, 200, NULL, &((struct get *)call)->body);
}

static void get_free(struct call *call)
{
	buf_done(&((struct get *)call)->body);
}

const struct call_route deadletters_get = { .size = sizeof(struct get),
	.parse = get_parse,
	.run = get_run,
	.reply = get_reply,
	.free = get_free };

/* --- GET /v1/dead-letters --- */

struct list {
	struct query_page page;
	char state[WORD_MAX], class[WORD_MAX]; /* "" = any */
};

static struct err list_parse(struct call *call)
{
	static const char *const states[] = { "open", "redriving", "redriven", "discarded", NULL };
	struct list *list = (struct list *)call;

	TRY(query_page_begin(&list->page, "/v1/dead-letters", LIST_MAX_BYTES));
	if (!query_word(call->exchange, "state", states, list->state, sizeof list->state))
		return err_reject(ERR_CODE_BAD_PARAMETER, "state is not a state of dead letters");
	if (!query_text(call->exchange, "class", list->class, sizeof list->class) ||
		(list->class[0] != '\0' && !err_class_is_known(list->class)))
		return err_reject(ERR_CODE_BAD_PARAMETER, "class is not a class of errors");
	query_page_filter(&list->page, "state", list->state);
	query_page_filter(&list->page, "class", list->class);
	return query_page_cursor(&list->page);
}

/* One row more than asked for says whether there is a next page. */
static struct err write_list(struct list *list, const struct deadletters_store_list *rows)
{
	size_t count = rows->count > list->page.limit ? list->page.limit : rows->count;

	buf_add_str(&list->page.body, STR("{\"items\":["));
	for (size_t i = 0; i < count; i++) {
		buf_add_str(&list->page.body, i == 0 ? STR("") : STR(","));
		TRY(deadletters_write(&rows->letters[i], &list->page.body));
	}
	buf_add_str(&list->page.body, STR("]"));
	if (rows->count > count)
		query_page_next(&list->page, &(struct cursor){ rows->created_us[count - 1],
						     rows->letters[count - 1].id });
	buf_add_str(&list->page.body, STR("}"));
	return buf_check(&list->page.link);
}

static const char *or_null(const char *text)
{
	return text[0] == '\0' ? NULL : text;
}

static struct err list_run(struct call *call, struct pg *pg, struct arena *arena)
{
	struct list *list = (struct list *)call;
	struct deadletters_store_page page = { .tenant = call->from.who.tenant,
		.state = or_null(list->state),
		.class = or_null(list->class),
		.limit = (int64_t)list->page.limit + 1 };
	struct deadletters_store_list rows;

	TRY(query_page_after(&list->page, &page.after));
	TRY(api_store_begin(pg, page.tenant));
	TRY(deadletters_store_list(pg, arena, &page, &rows));
	TRY(pg_commit(pg));
	return write_list(list, &rows);
}

const struct call_route deadletters_list = { .size = sizeof(struct list),
	.parse = list_parse,
	.run = list_run,
	.reply = query_page_reply,
	.free = query_page_free };

/* --- POST /v1/dead-letters/{id}/redrive and /discard --- */

struct decide {
	struct call call;
	struct id id;
};

static struct err decide_parse(struct call *call)
{
	return read_id(call->exchange, &((struct decide *)call)->id);
}

static struct err decide_run(struct call *call, struct pg *pg, struct arena *arena)
{
	struct service_context *service = call->api->intake->service;
	const struct deadletters_store_decision decision = {
		.tenant = call->from.who.tenant,
		.id = ((struct decide *)call)->id,
		.discard = call->route == &deadletters_discard,
		.key_hash = call->ask.key.key.hash,
		.traceparent = call->from.traceparent,
		.slug = call->from.who.slug,
	};

	TRY(deadletters_store_decide(pg, arena, &decision, service_outbox(service)));
	relay_wake(service_relay(service));
	return err_ok();
}

static void redrive_reply(struct call *call)
{
	struct buf body SCOPED(buf_done) = BUF(DEADLETTERS_JSON_MAX_BYTES);
	char id[ID_TEXT_BYTES];

	id_format(((struct decide *)call)->id, id);
	buf_addf(&body, "{\"id\":\"%s\",\"state\":\"redriving\"}", id);
	call_reply_json(call->exchange, 202, NULL, &body);
}

static void discard_reply(struct call *call)
{
	web_reply_send(call->exchange, 204, NULL, STR(""));
}

const struct call_route deadletters_redrive = { .size = sizeof(struct decide),
	.parse = decide_parse,
	.run = decide_run,
	.reply = redrive_reply };

const struct call_route deadletters_discard = { .size = sizeof(struct decide),
	.parse = decide_parse,
	.run = decide_run,
	.reply = discard_reply };
