/* What Kafka is told between records: where to pause, and how far we are. */
#include "partner/bridge_state.h"

#include "base/clock.h"
#include "base/log.h"

enum {
	COMMIT_MS = 100,
	LOOK_MS = 1000, /* how often a partition without records is asked for its position */
	AGAIN_MS = 1000,
	BATCH = 64,
};

static void set_paused(struct bridge *bridge, struct flight_place *place, bool paused)
{
	struct err e =
		kafka_consumer_pause(bridge->consumer, place->topic, place->partition, paused);

	if (e.kind == ERR_OK)
		place->paused = paused;
}

/* A partition that was held reads on from where it was held. */
static void let_go(struct bridge *bridge, struct flight_place *place, int64_t now_ms)
{
	const struct kafka_place to = {
		.topic = place->topic, .partition = place->partition, .offset = place->back_to
	};
	struct err e = kafka_consumer_seek(bridge->consumer, &to);

	if (e.kind != ERR_OK) {
		place->rest_until_ms = now_ms + AGAIN_MS;
		return;
	}
	place->back_to = -1;
	place->sought = true;
	set_paused(bridge, place, false);
}

static void regulate(struct bridge *bridge, struct flight_place *place, int64_t now_ms)
{
	bool held = place->back_to >= 0;

	if (bridge->end.draining || held) {
		if (!place->paused)
			set_paused(bridge, place, true);
		else if (!bridge->end.draining && flight_may_go_on(bridge->flight, place, now_ms))
			let_go(bridge, place, now_ms);
	} else if (place->paused) {
		set_paused(bridge, place, false);
	}
}

/* With nothing under way the position counts: it also steps over control records. */
static int64_t commit_point(struct bridge *bridge, const struct flight_place *place, bool look)
{
	int64_t mark = flight_mark(bridge->flight, place);

	if (!look || place->count > 0 || place->back_to >= 0 || place->sought)
		return mark;
	int64_t position =
		kafka_consumer_position(bridge->consumer, place->topic, place->partition);
	return position > mark ? position : mark;
}

static void send_commit(
	struct bridge *bridge, const struct kafka_place *places, size_t count, bool wait)
{
	struct err e = count == 0 ? err_ok()
				  : kafka_consumer_commit(bridge->consumer, places, count, wait);

	if (e.kind == ERR_OK)
		return;
	LOG(LOG_WARN, "partners.not_committed", LOG_ERR(e));
	bridge->times.commit_ms = clock_mono_ms() + AGAIN_MS;
}

/* Of a commit that fails nobody but the log hears: the next one says the same and more. */
static void commit(struct bridge *bridge, bool look, bool last)
{
	struct kafka_place moved[BATCH];
	size_t count = 0;

	for (size_t i = 0; i < bridge->flight->place_count; i++) {
		struct flight_place *place = &bridge->flight->places[i];
		int64_t point = commit_point(bridge, place, look);
		if (point < 0 || (point == place->committed && !last))
			continue;
		place->committed = point;
		moved[count++] = (struct kafka_place){
			.topic = place->topic, .partition = place->partition, .offset = point
		};
		if (count == BATCH) {
			send_commit(bridge, moved, count, last);
			count = 0;
		}
	}
	send_commit(bridge, moved, count, last);
}

void bridge_turn(struct bridge *bridge, int64_t now_ms)
{
	for (size_t i = 0; i < bridge->flight->place_count; i++)
		regulate(bridge, &bridge->flight->places[i], now_ms);
	if (now_ms - bridge->times.commit_ms < COMMIT_MS)
		return;
	bool look = now_ms - bridge->times.look_ms >= LOOK_MS;
	bridge->times.commit_ms = now_ms;
	if (look)
		bridge->times.look_ms = now_ms;
	commit(bridge, look, false);
}

void bridge_turn_commit_last(struct bridge *bridge)
{
	commit(bridge, true, true);
}
