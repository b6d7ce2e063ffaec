#include "api/events_state.h"

#include "api/api.h"
#include "api/api_store.h"
#include "api/events.h"
#include "api/events_store.h"
#include "frame/outbox.h"
#include "frame/service.h"
#include "intake.h"
#include "model/rediskey.h"
#include "port/pg.h"
#include "port/redis.h"
#include "port/web.h"

enum { REDIS_TIMEOUT_MS = 5000, HANDLED_MAX = 16 };

#define HANDLED(name, member, kind)                                                                \
	{                                                                                          \
		(name), (kind), CODEC_PLAIN, true, offsetof(struct events_store_handled, member),  \
			0, NULL                                                                    \
	}
#define FIELD(name, member, kind, required, max, item)                                             \
	{                                                                                          \
		(name), (kind), CODEC_PLAIN, (required),                                           \
			offsetof(struct events_state_view, member), (max), (item)                  \
	}

static const struct codec_field handled_fields[] = {
	HANDLED("service", service, CODEC_TEXT),
	HANDLED("at", at_ms, CODEC_TIME),
	CODEC_END,
};
static const struct codec_type handled_type = { "handled", sizeof(struct events_store_handled),
	handled_fields };
static const struct codec_field fields[] = {
	FIELD("id", id, CODEC_ID, true, 0, NULL),
	FIELD("state", state, CODEC_TEXT, true, 0, NULL),
	FIELD("handled_by", handled_by, CODEC_LIST, true, HANDLED_MAX, &handled_type),
	FIELD("dead_letter", dead_letter, CODEC_ID, false, 0, NULL),
	CODEC_END,
};
static const struct codec_type view_type = { "event", sizeof(struct events_state_view), fields };

struct err events_state_write(const struct events_state_view *view, struct buf *out)
{
	return codec_write(&view_type, view, CODEC_TO_CLIENT, out);
}

struct get {
	struct call call;
	struct id id;
	struct buf body;
};

static struct err no_id(void)
{
	return err_reject(ERR_CODE_NOT_FOUND, "this is not an event's id");
}

static struct err parse(struct call *call)
{
	struct get *get = (struct get *)call;

	get->body = BUF(EVENTS_STATE_JSON_MAX_BYTES);
	return id_parse(web_param(call->exchange, "id"), &get->id) ? err_ok() : no_id();
}

/* The note is gone after 15 minutes, and of what came by Kafka there never was one. */
static struct err nothing_known(void)
{
	return err_reject(ERR_CODE_NOT_FOUND,
		"nothing is known of this event, which does not mean that it is lost: what was "
		"accepted by REST is known for 15 minutes, what came by Kafka (the partner's DLQ "
		"topic has what was refused) once a service has handled it; sending it again under "
		"its id is safe");
}

/* Nobody has handled it yet, if there is one. */
static struct err ask_redis(const struct get *get, struct arena *arena)
{
	struct redis_reply *reply;
	char key[REDISKEY_BYTES];

	rediskey_event(get->call.from.who.tenant, get->id, key);
	const struct str argv[] = { STR("EXISTS"), str_of(key) };
	const struct redis_command command = { argv, 2, REDIS_TIMEOUT_MS };
	TRY(redis_call(events_redis(get->call.api->events), &command, arena, &reply));
	if (reply->kind != REDIS_INT)
		return err_retry(ERR_CODE_REDIS_AWAY, "Redis refused the command");
	return reply->number > 0 ? err_ok() : nothing_known();
}

static struct err run(struct call *call, struct pg *pg, struct arena *arena)
{
	struct get *get = (struct get *)call;
	const struct topic_space *space = service_outbox(call->api->intake->service)->space;
	const struct events_store_which which = { call->from.who.tenant, get->id };
	struct events_store_state row;

	TRY(api_store_begin(pg, which.tenant));
	TRY(events_store_load(pg, arena, space, &which, &row));
	TRY(pg_commit(pg));
	bool dead = !id_is_nil(row.dead_letter);
	if (!dead && row.count == 0)
		TRY(ask_redis(get, arena));
	const struct events_state_view view = { .id = get->id,
		.state = dead		 ? "dead"
			 : row.count > 0 ? "handled"
					 : "accepted",
		.handled_by = { row.handled, row.count },
		.dead_letter = row.dead_letter };
	return events_state_write(&view, &get->body);
}

static void reply(struct call *call)
{
	call_reply_json(call->exchange, 200, NULL, &((struct get *)call)->body);
}

static void free_get(struct call *call)
{
	buf_done(&((struct get *)call)->body);
}

const struct call_route events_state_get = {
	.size = sizeof(struct get), .parse = parse, .run = run, .reply = reply, .free = free_get
};
