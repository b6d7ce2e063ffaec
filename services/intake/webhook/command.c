#include "webhook/command.h"

#include <string.h>

#include "base/clock.h"
#include "frame/keyring.h"
#include "frame/operation.h"
#include "frame/relay.h"
#include "port/digest.h"
#include "port/pg.h"
#include "port/webhook_secret.h"
#include "webhook/deliveries_store.h"

/* One transaction of a request. */
struct work {
	struct pg *pg;
	struct arena *arena;
	struct outbox *outbox;
	const struct webhook_request *request;
	struct webhook_ref ref;
};

static struct err begin(struct work *work, const struct webhook_request *request, struct id id)
{
	const struct command_caller *caller = request->caller;

	*work = (struct work){ .pg = request->env->pg,
		.arena = request->env->arena,
		.outbox = outbox_new(request->env->arena, request->env->outbox),
		.request = request,
		.ref = { caller->tenant, id } };
	if (work->outbox == NULL)
		return arena_overflow();
	outbox_set_origin(work->outbox, caller->traceparent, caller->slug);
	TRY(pg_begin(work->pg));
	return pg_set_tenant(work->pg, caller->tenant);
}

static struct err finish(struct work *work)
{
	TRY(outbox_flush(work->outbox, work->pg));
	TRY(pg_commit(work->pg));
	relay_wake(work->request->env->relay);
	return err_ok();
}

/* what: NULL, or which of the endpoint's deliveries. */
static struct err audit(struct work *work, const char *action, const char *what)
{
	char id[ID_TEXT_BYTES];
	const char *actor;

	TRY(webhook_store_actor(work->pg, work->arena, work->ref.tenant,
		work->request->caller->api_key_hash, &actor));
	id_format(work->ref.id, id);
	const char *object = what == NULL ? arena_printf(work->arena, "webhook %s", id)
					  : arena_printf(work->arena, "%s of webhook %s", what, id);
	if (object == NULL)
		return arena_overflow();
	return operation_emit(work->outbox, &(struct operation){ .id = id_v7(),
						    .tenant = work->ref.tenant,
						    .actor = actor,
						    .action = action,
						    .object = object,
						    .reason = "asked for by the API",
						    .occurred_at = clock_wall_ms(),
						    .count = CODEC_NO_INT });
}

/* --- endpoints --- */

static struct err make_secret(struct work *work, struct webhook_secret *ret_secret, char *ret_text)
{
	SCOPED(webhook_sign_wipe) struct webhook_sign_key key = { .len = 0 };
	struct webhook_secret_of of = { .tenant = work->ref.tenant, .endpoint_id = work->ref.id };
	struct keyring_row row = { .of = { .tenant = work->ref.tenant } };
	struct keyring *keyring = work->request->keyring;
	uint8_t *wrapped = arena_alloc(work->arena, SEAL_KEY_WRAP_BYTES);

	if (wrapped == NULL)
		return arena_overflow();
	TRY(keyring_hold(work->pg, work->ref.tenant));
	TRY(keyring_find(keyring, work->pg, work->arena, &row));
	TRY(keyring_unwrap(keyring, work->arena, &row, &of.tenant_key));
	webhook_sign_make(&key);
	TRY(webhook_secret_wrap(&of, &key, wrapped));
	webhook_sign_format(&key, ret_text);
	*ret_secret = (struct webhook_secret){ row.of.version,
		{ (const char *)wrapped, SEAL_KEY_WRAP_BYTES } };
	return err_ok();
}

static void wipe_made(struct webhook_made *made)
{
	digest_wipe(made->secret, sizeof made->secret);
}

struct err webhook_create(const struct webhook_request *request, const struct wish *wish,
	struct webhook_made *ret_made)
{
	SCOPED(wipe_made) struct webhook_made made = { .secret = "" };
	struct webhook_new row = { .wish = wish };
	struct work work;
	struct webhook_look look;

	TRY(begin(&work, request, id_v7()));
	row.ref = work.ref;
	TRY(webhook_store_lock(work.pg, work.ref.tenant));
	TRY(webhook_store_look(work.pg, work.arena, work.ref.tenant, &look));
	TRY(wish_check_url(wish, look.is_test, work.arena));
	if (look.count >= WEBHOOK_ENDPOINTS_MAX)
		return err_reject(ERR_CODE_TOO_MANY, "a tenant has at most 50 webhooks");
	TRY(make_secret(&work, &row.secret, made.secret));
	TRY(webhook_store_add(work.pg, work.arena, &row, &made.endpoint));
	TRY(audit(&work, "webhook.created", NULL));
	TRY(finish(&work));
	*ret_made = made;
	return err_ok();
}

struct err webhook_change(const struct webhook_request *request, struct id id,
	const struct wish *wish, struct webhook_endpoint *ret_endpoint)
{
	struct work work;
	struct webhook_look look;
	struct webhook_endpoint endpoint;

	TRY(begin(&work, request, id));
	if (wish->has_url) {
		TRY(webhook_store_look(work.pg, work.arena, work.ref.tenant, &look));
		TRY(wish_check_url(wish, look.is_test, work.arena));
	}
	TRY(webhook_store_change(work.pg, work.arena, &work.ref, wish, &endpoint));
	TRY(audit(&work, "webhook.changed", NULL));
	TRY(finish(&work));
	*ret_endpoint = endpoint;
	return err_ok();
}

struct err webhook_rotate(
	const struct webhook_request *request, struct id id, struct webhook_made *ret_made)
{
	SCOPED(wipe_made) struct webhook_made made = { .secret = "" };
	struct work work;
	struct webhook_secret secret;

	TRY(begin(&work, request, id));
	TRY(make_secret(&work, &secret, made.secret));
	TRY(webhook_store_rotate(work.pg, work.arena, &work.ref, &secret, &made.endpoint));
	TRY(audit(&work, "webhook.rotated", NULL));
	TRY(finish(&work));
	*ret_made = made;
	return err_ok();
}

struct err webhook_remove(const struct webhook_request *request, struct id id)
{
	struct work work;

	TRY(begin(&work, request, id));
	TRY(webhook_store_remove(work.pg, work.arena, &work.ref));
	TRY(audit(&work, "webhook.deleted", NULL));
	return finish(&work);
}

/* --- what outreach is asked to do --- */

/* Outreach does nothing for one that is not active, so nobody may wait for it. */
static struct err check_active(struct work *work)
{
	struct webhook_endpoint endpoint;

	TRY(webhook_store_get(work->pg, work->arena, &work->ref, &endpoint));
	if (strcmp(endpoint.state, "active") != 0)
		return err_reject(ERR_CODE_ENDPOINT_DISABLED, "the webhook is disabled");
	return err_ok();
}

static struct err command(
	struct work *work, struct id event_id, const struct codec_type *type, const void *payload)
{
	char key[ID_TEXT_BYTES];

	id_format(work->ref.id, key);
	const struct outbox_event event = { .topic = TOPIC_OUTREACH_COMMANDS,
		.id = event_id,
		.type = type,
		.payload = payload,
		.tenant = work->ref.tenant,
		.ordering_key = key,
		.sink = CODEC_TO_TOPIC };
	return outbox_emit(work->outbox, &event);
}

struct err webhook_ask_test(
	const struct webhook_request *request, struct id id, struct id *ret_event_id)
{
	const struct webhook_test test = { id };
	struct id event_id = id_v7();
	struct work work;

	TRY(begin(&work, request, id));
	TRY(check_active(&work));
	TRY(command(&work, event_id, &webhook_test_requested, &test));
	TRY(finish(&work));
	*ret_event_id = event_id;
	return err_ok();
}

/* "deliveries", or which one. */
static struct err check_ended(struct work *work, struct id delivery_id, const char **ret_what)
{
	struct webhook_delivery delivery;
	char id[ID_TEXT_BYTES];

	*ret_what = "deliveries";
	if (id_is_nil(delivery_id))
		return err_ok();
	TRY(deliveries_store_get(work->pg, work->arena, &work->ref, delivery_id, &delivery));
	if (strcmp(delivery.state, "pending") == 0)
		return err_reject(ERR_CODE_NOT_ENDED, "the delivery is still under way");
	id_format(delivery_id, id);
	*ret_what = arena_printf(work->arena, "delivery %s", id);
	return *ret_what == NULL ? arena_overflow() : err_ok();
}

struct err webhook_ask_resend(
	const struct webhook_request *request, const struct webhook_resend *what)
{
	struct work work;
	const char *object;

	TRY(begin(&work, request, what->endpoint_id));
	TRY(check_active(&work));
	TRY(check_ended(&work, what->delivery_id, &object));
	TRY(command(&work, id_v7(), &webhook_resend_requested, what));
	TRY(audit(&work, "webhook.resent", object));
	return finish(&work);
}
