#include "fanout.h"

#include <stdio.h>

#include "base/clock.h"
#include "frame/deadletter.h"
#include "port/pg.h"
#include "events.h"
#include "store.h"

enum { BODY_MAX_BYTES = 262144 };

#define ORDERED "ordered:"

/* --- the body --- */

/* Standard Webhooks 1.0.0, "Payload structure"; data is what the event said. */
static struct err write_body(const struct scope *scope, const char *filter,
	const struct codec_type *type, const void *payload, struct buf *out)
{
	char time[CLOCK_TEXT_BYTES];

	clock_format(scope->event->time_ms, time);
	buf_addf(out, "{\"type\":\"%s\",\"timestamp\":\"%s\",\"tenant\":", filter, time);
	codec_quote(str_of(scope->event->slug), out);
	buf_addf(out, ",\"data\":");
	TRY(codec_write(type, payload, CODEC_TO_CLIENT, out));
	buf_addf(out, "}");
	return buf_check(out);
}

/* --- rows and commands --- */

/* The id of a delivery, which is its webhook-id: of this event for this endpoint, for ever. */
static struct id delivery_of(struct id event_id, struct id endpoint_id)
{
	char event[ID_TEXT_BYTES], endpoint[ID_TEXT_BYTES];

	id_format(event_id, event);
	id_format(endpoint_id, endpoint);
	const struct str parts[] = { STR("delivery"), str_of(event), str_of(endpoint) };
	return outbox_id(parts, 3);
}

/* In order per endpoint only where that is wanted: one that fails would hold the others up. The key
 * is not the endpoint's alone, which is that of what is asked about it: that waits for no call.
 *
 * Where the database lost its tail, Kafka may still have the command that went out before, and it
 * may be read before this event is, when there is no delivery to make: one of the same id would
 * then be dropped as known, and nobody called. A second command of a delivery that is over does
 * nothing. */
static struct err command(struct scope *scope, const struct events_delivery *delivery, bool ordered)
{
	char key[sizeof ORDERED + ID_TEXT_BYTES], endpoint[ID_TEXT_BYTES], id[ID_TEXT_BYTES];
	char round[24];

	id_format(delivery->endpoint_id, endpoint);
	id_format(delivery->delivery_id, id);
	snprintf(key, sizeof key, "%s%s", ordered ? ORDERED : "", ordered ? endpoint : id);
	snprintf(round, sizeof round, "%lld", (long long)delivery->round);
	const struct str parts[] = { str_of(id), str_of(round) };
	const struct outbox_event event = { .topic = TOPIC_OUTREACH_COMMANDS,
		.id = scope->doubt_ms > 0 ? id_v7() : outbox_id(parts, 2),
		.type = &events_delivery_requested,
		.payload = delivery,
		.tenant = scope->event->tenant,
		.ordering_key = key,
		.sink = CODEC_TO_TOPIC };
	return outbox_emit(scope->outbox, &event);
}

static struct err deliver(struct scope *scope, const struct store_endpoints *endpoints,
	const char *filter, struct str body)
{
	for (size_t i = 0; i < endpoints->count; i++) {
		const struct store_endpoint *to = &endpoints->items[i];
		const struct store_delivery row = { .tenant = scope->event->tenant,
			.delivery_id = delivery_of(scope->event->id, to->endpoint_id),
			.endpoint_id = to->endpoint_id,
			.event_id = scope->event->id,
			.filter = filter,
			.body = body };
		const struct events_delivery delivery = { row.delivery_id, row.endpoint_id, 0 };
		TRY(store_add_delivery(scope->pg, &row));
		TRY(command(scope, &delivery, to->ordered));
	}
	return err_ok();
}

/* To everybody whose filters name it; type says which members of the payload they see. */
static struct err tell(struct scope *scope, const struct codec_type *type, const void *payload)
{
	struct buf body SCOPED(buf_done) = BUF(BODY_MAX_BYTES);
	char filter[EVENTS_FILTER_BYTES];
	struct store_endpoints endpoints;

	if (!events_filter_of(scope->event->type, filter))
		return err_reject(ERR_CODE_BAD_RECORD, "the type has no form of ours");
	TRY(store_find_endpoints(
		scope->pg, scope->arena, scope->event->tenant, filter, &endpoints));
	if (endpoints.count == 0)
		return err_ok();
	TRY(write_body(scope, filter, type, payload, &body));
	return deliver(scope, &endpoints, filter, buf_str(&body));
}

struct err fanout_document(struct scope *scope, const void *payload)
{
	return tell(scope, &events_document_completed, payload); /* one table under five types */
}

struct err fanout_deadletter(struct scope *scope, const void *payload)
{
	return tell(scope, &deadletter_created, payload);
}

struct err fanout_test(struct scope *scope, const void *payload)
{
	const struct events_test *test = payload;
	struct buf body SCOPED(buf_done) = BUF(BODY_MAX_BYTES);
	struct store_endpoints endpoints;

	TRY(store_find_endpoint(
		scope->pg, scope->arena, scope->event->tenant, test->endpoint_id, &endpoints));
	TRY(write_body(scope, "webhook.test", &events_test_requested, payload, &body));
	return deliver(scope, &endpoints, "webhook.test", buf_str(&body));
}

/* Whatever is left after a full batch is asked for by another command; what has changed since the
 * first one was written is not taken twice. */
static struct err resend_rest(struct scope *scope, const struct events_resend *resend)
{
	char id[ID_TEXT_BYTES];

	id_format(scope->event->id, id);
	const struct str parts[] = { STR("rest"), str_of(id) };
	const struct outbox_event event = { .topic = TOPIC_OUTREACH_COMMANDS,
		.id = outbox_id(parts, 2),
		.type = &events_resend_requested,
		.payload = resend,
		.tenant = scope->event->tenant,
		.ordering_key = scope->event->ordering_key,
		.sink = CODEC_TO_TOPIC };
	return outbox_emit(scope->outbox, &event);
}

struct err fanout_resend(struct scope *scope, const void *payload)
{
	struct events_resend resend = *(const struct events_resend *)payload;
	struct store_agains agains;

	if (resend.asked == CODEC_NO_INT)
		resend.asked = scope->event->time_ms;
	const struct store_resend which = { .tenant = scope->event->tenant,
		.endpoint_id = resend.endpoint_id,
		.delivery_id = resend.delivery_id,
		.state = resend.state,
		.from_ms = resend.from,
		.to_ms = resend.to,
		.before_ms = resend.asked };
	TRY(store_resend(scope->pg, scope->arena, &which, &agains));
	for (size_t i = 0; i < agains.count; i++) {
		const struct store_again *again = &agains.items[i];
		const struct events_delivery delivery = { again->delivery_id, resend.endpoint_id,
			again->round };
		TRY(command(scope, &delivery, again->ordered));
	}
	return agains.count == STORE_RESEND_MAX ? resend_rest(scope, &resend) : err_ok();
}
