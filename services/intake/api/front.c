#include "api/front.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/key_watch.h"
#include "base/encode.h"
#include "frame/service.h"
#include "intake.h"
#include "port/web.h"
#include "port/web_reply.h"

struct front {
	struct key_cache *keys;
	struct key_watch *watch;
	struct rate *rate;
};

#define ASK_OF(part, member)                                                                       \
	((struct front_ask *)(void *)((char *)(part)-offsetof(struct front_ask, member)))

static void show(const struct front_ask *ask, const struct window_verdict *verdict)
{
	char policy[RATE_FIELD_BYTES], limit[RATE_FIELD_BYTES];

	rate_write_fields(&ask->rate.of, verdict, policy, limit);
	const struct web_field fields[] = {
		{ "RateLimit-Policy", str_of(policy) },
		{ "RateLimit", str_of(limit) },
		{ NULL, { NULL, 0 } },
	};
	web_reply_also(ask->exchange, fields);
	if (!verdict->passed)
		web_reply_retry_after(ask->exchange, rate_retry_after_s(verdict));
}

static void on_rate(struct rate_ask *part, const struct window_verdict *verdict)
{
	struct front_ask *ask = ASK_OF(part, rate);

	show(ask, verdict);
	ask->done(ask, verdict->passed ? err_ok()
				       : err_reject(ERR_CODE_RATE_LIMITED,
						 "Retry-After says when to come again"));
}

/* The log line names the tenant, also of a request that is refused later. */
static void note_tenant(const struct front_ask *ask)
{
	struct api_note *note = web_user(ask->exchange);

	if (note != NULL)
		memcpy(note->tenant, ask->who.slug, sizeof note->tenant);
}

/* The answer is about the key that was sent, whatever the cache may have mixed up. */
static bool is_of(const struct front_ask *ask, const struct auth_who *who)
{
	char sent[DIGEST_HEX_BYTES];

	encode_hex(ask->key.key.hash, sizeof ask->key.key.hash, sent);
	return strcmp(sent, who->key_hash) == 0;
}

static void on_key(struct key_cache_ask *part, struct err e, const struct auth_who *who)
{
	struct front_ask *ask = ASK_OF(part, key);
	const struct front_gate *gate = web_route_of(ask->exchange)->extra;

	if (e.kind == ERR_OK && !is_of(ask, who))
		e = err_fatal(ERR_CODE_INTERNAL, "what is known of a key is another key's");
	if (e.kind == ERR_OK) {
		ask->who = *who;
		note_tenant(ask);
		if ((who->scopes & gate->scope) == 0)
			e = err_reject(ERR_CODE_FORBIDDEN, "");
	}
	if (e.kind != ERR_OK || gate->class == RATE_NONE || who->limits[gate->class] == 0) {
		ask->done(ask, e);
		return;
	}
	ask->rate.of = (struct rate_of){
		.class = gate->class, .tenant = who->tenant, .limit = who->limits[gate->class]
	};
	memcpy(ask->rate.of.lineage, who->lineage, sizeof ask->rate.of.lineage);
	ask->rate.done = on_rate;
	rate_ask(ask->front->rate, &ask->rate);
}

void front_ask(struct front *front, struct front_ask *ask)
{
	ask->front = front;
	ask->key.done = on_key;
	/* two keys are none: nobody may wonder which of them counted */
	auth_key_of(web_header_once(ask->exchange, "x-api-key"), &ask->key.key);
	key_cache_ask(front->keys, &ask->key);
}

void front_leave(struct front_ask *ask)
{
	key_cache_leave(&ask->key);
	rate_leave(&ask->rate);
}

struct key_watch *front_watch(const struct front *front)
{
	return front->watch;
}

void front_forget(struct front *front, struct tenant tenant, const char *key_id)
{
	key_cache_forget(front->keys, tenant, key_id);
}

struct err front_open(struct api *api, struct front **ret_front)
{
	const struct rate_conf rate = { .loop = api->loop,
		.metrics = service_metrics(api->intake->service),
		.intake = api->intake->conf };
	struct front *front = calloc(1, sizeof *front);

	if (front == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory to start with");
	*ret_front = front; /* also after a failure: front_close ends what was opened */
	TRY(key_cache_open(api, &front->keys));
	TRY(key_watch_open(front->keys, &front->watch));
	return rate_open(&rate, &front->rate);
}

void front_close(struct front *front)
{
	if (front == NULL)
		return;
	rate_close(front->rate);
	key_watch_close(front->watch);
	key_cache_close(front->keys);
	free(front);
}
