#include "deliver.h"

#include "base/clock.h"
#include "frame/effect.h"
#include "frame/keyring.h"
#include "frame/metrics.h"
#include "port/pg.h"
#include "port/webhook_secret.h"
#include "call.h"
#include "events.h"
#include "outreach.h"
#include "store.h"

/* On its way through the steps; lives in the record's arena. */
struct attempt {
	struct store_call call;
	struct effect_key key;
	struct effect_view view;
	const struct seal_key *tenant_key, *old_tenant_key; /* of the secrets */
	struct call_answer answer;
	enum decide_outcome outcome;
};

static struct store_round round_of(
	const struct scope *scope, const struct events_delivery *delivery)
{
	return (struct store_round){ scope->event->tenant, delivery->delivery_id, delivery->round };
}

struct id deliver_target(const void *payload)
{
	return ((const struct events_delivery *)payload)->endpoint_id;
}

/* --- the claim --- */

static struct err load_key(
	struct scope *scope, const struct store_secret *secret, const struct seal_key **ret_key)
{
	const struct outreach *outreach = scope->state;
	const struct keyring_row row = { { scope->event->tenant, secret->key_version },
		secret->key };

	return secret->key_version == 0
		       ? err_ok()
		       : keyring_unwrap(outreach->keyring, scope->arena, &row, ret_key);
}

static struct err begin_effect(
	struct scope *scope, const struct events_delivery *delivery, struct attempt *attempt)
{
	char endpoint[ID_TEXT_BYTES], event[ID_TEXT_BYTES];

	id_format(delivery->endpoint_id, endpoint);
	id_format(attempt->call.event_id, event);
	char *key = arena_printf(
		scope->arena, "%s:%s:%lld", endpoint, event, (long long)delivery->round);
	if (key == NULL)
		return arena_overflow();
	attempt->key = (struct effect_key){ .tenant = scope->event->tenant,
		.kind = "webhook",
		.key = key,
		.request = attempt->call.body,
		.repeatable = true };
	return effect_begin(scope->pg, scope->arena, &attempt->key, &attempt->view);
}

struct err deliver_claimed(struct scope *scope, const void *payload)
{
	const struct events_delivery *delivery = payload;
	const struct store_round round = round_of(scope, delivery);
	struct attempt *attempt = arena_alloc(scope->arena, sizeof *attempt);

	if (attempt == NULL)
		return arena_overflow();
	scope->user = attempt;
	TRY(store_load_call(scope->pg, scope->arena, &round, &attempt->call));
	if (!attempt->call.is_due)
		return err_ok();
	return begin_effect(scope, delivery, attempt);
}

/* --- the call --- */

/* The newer one first. ERR_REJECT undecryptable: the master key is another one. */
static struct err unwrap(struct scope *scope, const struct attempt *attempt, struct id endpoint_id,
	struct webhook_sign_key *keys, size_t *ret_count)
{
	const struct {
		const struct store_secret *secret;
		const struct seal_key *key;
	} both[] = { { &attempt->call.secret, attempt->tenant_key },
		{ &attempt->call.old_secret, attempt->old_tenant_key } };
	size_t count = 0;

	for (size_t i = 0; i < sizeof both / sizeof *both; i++) {
		const struct webhook_secret_of of = { both[i].key, scope->event->tenant,
			endpoint_id };
		if (of.tenant_key != NULL)
			TRY(webhook_secret_unwrap(&of, both[i].secret->wrapped, &keys[count++]));
	}
	*ret_count = count;
	return err_ok();
}

static struct err call_endpoint(
	struct scope *scope, const struct events_delivery *delivery, struct attempt *attempt)
{
	const struct outreach *outreach = scope->state;
	struct webhook_sign_key keys[WEBHOOK_SIGN_KEYS_MAX] = { 0 };
	size_t count = 0;
	struct call_request request = { .url = attempt->call.url,
		.is_test = attempt->call.is_test,
		.delivery_id = delivery->delivery_id,
		.body = attempt->call.body,
		.keys = keys,
		.traceparent = scope->event->traceparent };

	struct err e = unwrap(scope, attempt, delivery->endpoint_id, keys, &count);
	request.key_count = count;
	if (e.kind == ERR_OK)
		e = call_send(outreach, scope->arena, &request, &attempt->answer);
	for (size_t i = 0; i < WEBHOOK_SIGN_KEYS_MAX; i++)
		webhook_sign_wipe(&keys[i]);
	return e;
}

static void count_attempt(const struct outreach *outreach, const struct attempt *attempt)
{
	static const char *const names[] = { "delivered", "again", "failed", "gone" };
	const char *outcome = names[attempt->outcome], *none = NULL;

	metrics_add(outreach->attempts, &outcome, 1);
	metrics_observe(outreach->seconds, &none, (double)attempt->answer.took_ms / 1e3);
}

struct err deliver_work(struct scope *scope, const void *payload)
{
	const struct outreach *outreach = scope->state;
	struct attempt *attempt = scope->user;
	int64_t pause_ms = 0;

	if (!attempt->call.is_due || attempt->view.task == EFFECT_OVER)
		return err_ok();
	/* here and not with the claim: a key service may take its time */
	TRY(load_key(scope, &attempt->call.secret, &attempt->tenant_key));
	TRY(load_key(scope, &attempt->call.old_secret, &attempt->old_tenant_key));
	TRY(call_endpoint(scope, payload, attempt));
	const struct decide_answer answer = { .status = attempt->answer.status,
		.retry_after = attempt->answer.retry_after,
		.now_ms = clock_wall_ms(),
		.attempts = scope->attempts };
	attempt->outcome = decide_answer(&outreach->schedule, &answer, &pause_ms);
	count_attempt(outreach, attempt);
	if (attempt->outcome != DECIDE_AGAIN)
		return err_ok();
	scope->again_ms = pause_ms;
	return err_retry(ERR_CODE_UNDELIVERED, err_code_title(ERR_CODE_UNDELIVERED));
}

/* --- what came of it --- */

static struct err write_down(struct scope *scope, const struct events_delivery *delivery,
	const struct attempt *attempt, const char *state)
{
	const struct store_attempt row = { .tenant = scope->event->tenant,
		.delivery_id = delivery->delivery_id,
		.number = attempt->call.attempts + 1,
		.status = attempt->answer.status,
		.error_code = attempt->answer.error_code,
		.took_ms = attempt->answer.took_ms,
		.state = state };

	return store_add_attempt(scope->pg, &row);
}

/* An answer says that it did not happen; without one nobody knows. */
struct err deliver_failed(struct scope *scope, const void *payload)
{
	struct attempt *attempt = scope->user;
	bool answered = attempt->answer.status != 0;

	if (attempt->outcome != DECIDE_AGAIN) /* a fault of ours, before the call */
		return effect_end(scope->pg, scope->arena, &attempt->key, EFFECT_INTENT, NULL);
	TRY(write_down(scope, payload, attempt, "pending"));
	return effect_end(scope->pg, scope->arena, &attempt->key,
		answered ? EFFECT_INTENT : EFFECT_UNKNOWN, NULL);
}

static struct err announce_gone(struct scope *scope, const struct events_delivery *delivery)
{
	char endpoint[ID_TEXT_BYTES], id[ID_TEXT_BYTES];
	const struct events_disabled disabled = { delivery->endpoint_id, "gone", clock_wall_ms() };

	id_format(delivery->endpoint_id, endpoint);
	id_format(scope->event->id, id);
	const struct str parts[] = { STR("gone"), str_of(id) };
	const struct outbox_event event = { .topic = TOPIC_OUTREACH_EVENTS,
		.id = outbox_id(parts, 2),
		.type = &events_endpoint_disabled,
		.payload = &disabled,
		.tenant = scope->event->tenant,
		.ordering_key = endpoint,
		.sink = CODEC_TO_TOPIC };

	return outbox_emit(scope->outbox, &event);
}

struct err deliver_handle(struct scope *scope, const void *payload)
{
	const struct events_delivery *delivery = payload;
	const struct store_round round = round_of(scope, delivery);
	struct attempt *attempt = scope->user;
	bool delivered = attempt->outcome == DECIDE_DELIVERED;

	/* Not there: its event was lost with the database's tail and is on its way again, with a
	 * command of its own; by now it may have made the delivery. */
	if (!attempt->call.is_there)
		return err_ok();
	if (!attempt->call.is_due) /* the endpoint was deleted or disabled, or it was sent anew */
		return store_cancel(scope->pg, &round);
	if (attempt->view.task == EFFECT_OVER)
		return err_ok();
	TRY(write_down(scope, delivery, attempt, delivered ? "delivered" : "failed"));
	if (attempt->outcome == DECIDE_GONE)
		TRY(announce_gone(scope, delivery));
	return effect_end(scope->pg, scope->arena, &attempt->key,
		delivered ? EFFECT_CONFIRMED : EFFECT_FAILED, NULL);
}
