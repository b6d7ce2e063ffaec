/* What becomes of a record, and of what was sent on. */
#include "partner/bridge_state.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "frame/metrics.h"
#include "model/foreign.h"
#include "partner/map.h"
#include "partner/refuse.h"

enum {
	REST_MS = 5000, /* after Kafka would not take what came of it */
	ROOM_MS = 1000, /* how long the producer's queue may be full */
	SERVE_MS = 10,
};

static struct err find_sender(struct bridge *bridge, const struct flight_place *place,
	const struct foreign *foreign, struct partner_tenant *ret_tenant)
{
	if (foreign->subject == NULL)
		return err_reject(ERR_CODE_BAD_RECORD, "subject (tenant_id): missing");
	switch (partner_book_find(
		bridge->conf.book, place->partner, foreign->subject, ret_tenant)) {
	case PARTNER_GRANTED:
		return err_ok();
	case PARTNER_NOT_THEIRS:
		return err_reject(
			ERR_CODE_NOT_GRANTED, "subject (tenant_id): not a tenant you may act for");
	default:
		/* its topic is about to be left; should it come back, nothing is lost */
		return err_retry(ERR_CODE_TRY_AGAIN, "the partner is not active");
	}
}

/* The event that a record is. */
static struct err judge(struct bridge *bridge, const struct flight_place *place,
	const struct kafka_record *record, struct partner_event *ret_event)
{
	struct foreign foreign;
	struct partner_tenant tenant;

	if (refuse_headers_bytes(&record->headers) > REFUSE_HEADERS_MAX)
		return err_reject(ERR_CODE_RECORD_TOO_LARGE, "headers over 64 KiB");
	TRY(foreign_read_record(&record->headers, record->value, bridge->arena, &foreign));
	TRY(find_sender(bridge, place, &foreign, &tenant));
	const struct partner_sender from = { place->partner, tenant.tenant, tenant.slug };
	return partner_map(
		bridge->conf.space, &foreign, &from, clock_wall_ms(), bridge->arena, ret_event);
}

/* Waits a little for room in the producer's queue. */
static struct err push(struct bridge *bridge, const struct kafka_record *record, uint32_t slot)
{
	int64_t until_ms = clock_mono_ms() + ROOM_MS;

	for (;;) {
		struct err e = kafka_producer_send(bridge->producer, record, slot);
		if (!err_is(e, ERR_CODE_TRY_AGAIN) || clock_mono_ms() >= until_ms)
			return e;
		TRY(kafka_producer_poll(bridge->producer, SERVE_MS));
	}
}

/* On to the suite, or back to the partner. */
static struct err send_on(struct bridge *bridge, const struct flight_place *place,
	const struct kafka_record *record, uint32_t slot)
{
	struct partner_event event = { .record = { .topic = NULL } };
	struct kafka_record back;

	struct err e = judge(bridge, place, record, &event);
	if (e.kind == ERR_OK)
		return push(bridge, &event.record, slot);
	if (e.kind == ERR_RETRY)
		return e;
	/* a fatal one is a bug of ours that this record meets: it must not meet it for ever */
	const struct refuse what = { bridge->conf.space->prefix, place->partner, bridge->group,
		record, e };
	bridge->flight->slots[slot].refused = true;
	TRY(refuse_record(&what, bridge->arena, &back));
	return push(bridge, &back, slot);
}

void bridge_take_record(void *arg, const struct kafka_record *record)
{
	struct bridge *bridge = arg;
	struct flight_place *place = flight_find(bridge->flight, record->topic, record->partition);

	/* held: it is read again. And a pause brings the last record once more. */
	if (place == NULL || place->back_to >= 0 || record->offset == place->next - 1)
		return;
	uint32_t slot = bridge->end.draining ? FLIGHT_NONE
					     : flight_add(bridge->flight, place, record->offset);
	if (slot == FLIGHT_NONE) {
		flight_hold(place, record->offset, 0);
		return;
	}
	arena_reset(bridge->arena);
	struct err e = send_on(bridge, place, record, slot);
	if (e.kind != ERR_OK)
		bridge_take_report(bridge, slot, e);
}

static void count(struct bridge *bridge, const struct flight_slot *slot, struct err e)
{
	const char *outcome = e.kind != ERR_OK ? "dropped" : slot->refused ? "refused" : "accepted";

	if (slot->place == NULL)
		return;
	const char *const labels[] = { slot->place->partner, outcome };
	metrics_add(bridge->records, labels, 1);
	if (e.kind != ERR_OK)
		LOG(LOG_ERROR, "partners.record_dropped", LOG_TEXT("topic", slot->place->topic),
			LOG_INT("partition", slot->place->partition),
			LOG_INT("offset", slot->offset), LOG_ERR(e));
}

static void wait_with(struct bridge *bridge, uint32_t at, struct err e)
{
	const struct flight_slot *slot = &bridge->flight->slots[at];

	if (slot->place != NULL)
		LOG(LOG_WARN, "partners.partition_rests", LOG_TEXT("topic", slot->place->topic),
			LOG_INT("partition", slot->place->partition),
			LOG_INT("offset", slot->offset), LOG_ERR(e));
	flight_fail(bridge->flight, at, clock_mono_ms() + REST_MS);
}

/* What no broker will ever take is let go: refusals are cut to size and events are small, so this
 * is a topic whose limits somebody changed. */
void bridge_take_report(void *arg, uint64_t tag, struct err e)
{
	struct bridge *bridge = arg;
	uint32_t slot = (uint32_t)tag;

	if (e.kind != ERR_OK && e.kind != ERR_REJECT) {
		wait_with(bridge, slot, e);
		return;
	}
	count(bridge, &bridge->flight->slots[slot], e);
	flight_end(bridge->flight, slot);
}
