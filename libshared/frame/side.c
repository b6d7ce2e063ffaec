#include "frame/side.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "port/kafka.h"

enum {
	TURN_RECORDS = 200, /* of one replay in one turn: the group's own records come first */
	ADVANCE_MS = 1000,
	THOUSAND = 1000,
};

struct reading {
	struct side_item item;
	bool started; /* the reader has it */
	bool through; /* nothing of the range is left to be read */
	bool finished;
	int64_t credit, refilled_ms;   /* of the rate */
	int64_t advanced, advanced_ms; /* what was written down */
	int64_t asked_ms;	       /* whether all of it is handled */
};

struct side {
	struct side_conf conf;
	struct kafka_reader *reader; /* NULL: nothing to read */
	size_t count, started;
	struct reading readings[SIDE_MAX];
};

struct side *side_new(const struct side_conf *conf)
{
	struct side *side = calloc(1, sizeof *side);

	if (side != NULL)
		side->conf = *conf;
	return side;
}

void side_free(struct side *side)
{
	if (side == NULL)
		return;
	kafka_reader_close(side->reader);
	free(side);
}

int64_t side_refill(int rate, int64_t credit, int64_t elapsed_ms)
{
	int64_t most = rate < 10 ? 2 * THOUSAND - 1 : (int64_t)rate * (THOUSAND / 10);

	if (elapsed_ms > THOUSAND) /* more than fills it, and no product may overflow */
		elapsed_ms = THOUSAND;
	credit += rate * elapsed_ms;
	return credit > most ? most : credit;
}

/* --- what there is to read --- */

static void stop(struct side *side, struct reading *reading)
{
	if (!reading->started)
		return;
	kafka_reader_stop(side->reader, reading->item.replay.topic, reading->item.replay.partition);
	reading->started = false;
	side->started--;
}

static bool is_wanted(const struct replay *replay)
{
	return replay->kind == REPLAY_SIDE && replay->state == REPLAY_OPEN;
}

static const struct side_item *find_item(const struct side_item *items, size_t count, int64_t id)
{
	for (size_t i = 0; i < count; i++)
		if (items[i].replay.id == id && is_wanted(&items[i].replay))
			return &items[i];
	return NULL;
}

static struct reading *find_reading(struct side *side, int64_t id)
{
	for (size_t i = 0; i < side->count; i++)
		if (side->readings[i].item.replay.id == id)
			return &side->readings[i];
	return NULL;
}

/* Drops what is no longer wanted; the rest takes over what an operator may change. */
static void keep_wanted(struct side *side, const struct side_item *items, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < side->count; i++) {
		struct reading *reading = &side->readings[i];
		const struct side_item *item = find_item(items, count, reading->item.replay.id);
		if (item == NULL || item->source != reading->item.source) {
			stop(side, reading);
			continue;
		}
		reading->item.replay.rate = item->replay.rate;
		side->readings[kept++] = *reading;
	}
	side->count = kept;
}

void side_set(struct side *side, const struct side_item *items, size_t count)
{
	keep_wanted(side, items, count);
	for (size_t i = 0; i < count && side->count < SIDE_MAX; i++) {
		const struct side_item *item = &items[i];
		if (!is_wanted(&item->replay) || find_reading(side, item->replay.id) != NULL)
			continue;
		/* after a pause the source has gone on from where it was */
		if (item->source->next < item->replay.next)
			item->source->next = item->replay.next;
		side->readings[side->count++] =
			(struct reading){ .item = *item, .advanced = item->replay.next };
	}
	if (side->count == 0) {
		kafka_reader_close(side->reader);
		side->reader = NULL;
	}
}

size_t side_active(const struct side *side)
{
	size_t active = 0;

	for (size_t i = 0; i < side->count; i++)
		active += !side->readings[i].finished;
	return active;
}

/* --- reading --- */

/* A partition has one position: of several replays of it the oldest is read first. */
static bool has_turn(const struct side *side, const struct reading *reading)
{
	const struct replay *mine = &reading->item.replay;

	if (reading->through)
		return false;
	for (size_t i = 0; i < side->count; i++) {
		const struct replay *other = &side->readings[i].item.replay;
		if (other->id < mine->id && !side->readings[i].through &&
			other->partition == mine->partition && other->topic == mine->topic)
			return false;
	}
	return true;
}

static struct err start_at(struct side *side, struct reading *reading, int64_t offset)
{
	const struct kafka_place place = { .topic = reading->item.replay.topic,
		.partition = reading->item.replay.partition,
		.offset = offset };

	stop(side, reading);
	TRY(kafka_reader_start(side->reader, &place));
	reading->started = true;
	side->started++;
	return err_ok();
}

static void end_reading(struct side *side, struct reading *reading)
{
	reading->through = true;
	stop(side, reading);
}

/* The key is the tenant's id; who has another one, or none, is not of the replay's tenant. */
static bool is_of_tenant(const struct replay *replay, struct str key)
{
	struct tenant tenant;

	return !replay->has_tenant ||
	       (id_parse(key, &tenant.id) && tenant_eq(tenant, replay->tenant));
}

/* What one look of the reader is about. */
struct look {
	struct side *side;
	struct reading *reading;
	bool beyond;
};

static void on_record(void *arg, const struct kafka_record *record)
{
	struct look *look = arg;
	const struct side_conf *conf = &look->side->conf;
	struct reading *reading = look->reading;
	struct partition *source = reading->item.source;

	look->beyond = record->offset >= reading->item.replay.to;
	if (look->beyond)
		return;
	reading->credit -= THOUSAND;
	if (is_of_tenant(&reading->item.replay, record->key))
		conf->record(conf->arg, source, &reading->item.replay, record);
	else
		schedule_pass(conf->schedule, source, record->offset);
}

static void lose(struct side *side, struct reading *reading)
{
	const struct replay *replay = &reading->item.replay;

	LOG(LOG_WARN, "replay.data_expired", LOG_INT("replay", replay->id),
		LOG_TEXT("topic", replay->topic), LOG_INT("partition", replay->partition),
		LOG_INT("wanted", reading->item.source->next));
	struct err e = start_at(side, reading, KAFKA_EARLIEST);
	(void)e; /* not started: tried again in the next turn */
}

static bool may_read(const struct side *side, const struct reading *reading)
{
	return reading->started &&
	       (reading->item.replay.rate == 0 || reading->credit >= THOUSAND) &&
	       !schedule_is_full(side->conf.schedule, reading->item.source);
}

static void read_some(struct side *side, struct reading *reading)
{
	const struct replay *replay = &reading->item.replay;
	struct look look = { side, reading, false };
	int64_t now_ms = clock_mono_ms();

	reading->credit = side_refill(replay->rate, reading->credit, now_ms - reading->refilled_ms);
	reading->refilled_ms = now_ms;
	for (int i = 0; i < TURN_RECORDS && may_read(side, reading); i++) {
		enum kafka_reader_found found = kafka_reader_poll(
			side->reader, replay->topic, replay->partition, on_record, &look);
		if (found == KAFKA_READER_NOTHING)
			return;
		if (found == KAFKA_READER_OUT_OF_RANGE)
			lose(side, reading);
		else if (found == KAFKA_READER_END || look.beyond ||
			 reading->item.source->next >= replay->to)
			end_reading(side, reading);
	}
}

static struct err turn_reading(struct side *side, struct reading *reading)
{
	if (!reading->through && reading->item.source->next >= reading->item.replay.to)
		end_reading(side, reading);
	if (!has_turn(side, reading))
		return err_ok();
	if (!reading->started && side->started == KAFKA_READER_MAX)
		return err_ok();
	if (!reading->started)
		TRY(start_at(side, reading, reading->item.source->next));
	read_some(side, reading);
	return err_ok();
}

/* --- progress --- */

static struct err write_down(struct side *side, struct reading *reading, struct arena *arena)
{
	const struct replay *replay = &reading->item.replay;
	struct partition *source = reading->item.source;
	int64_t mark = schedule_watermark(side->conf.schedule, source);
	bool done = reading->through && mark >= source->next;
	int64_t now_ms = clock_mono_ms();

	if (done)
		mark = replay->to;
	if (mark > reading->advanced && (done || now_ms - reading->advanced_ms >= ADVANCE_MS)) {
		reading->advanced_ms = now_ms;
		TRY(replay_advance(side->conf.pg, replay->id, mark));
		reading->advanced = mark;
	}
	if (!done || reading->finished)
		return err_ok();
	if (now_ms - reading->asked_ms < ADVANCE_MS)
		return err_ok();
	arena_reset(arena);
	reading->asked_ms = now_ms;
	return replay_finish(
		side->conf.pg, arena, replay->id, side->conf.outbox, &reading->finished);
}

struct err side_poll(struct side *side, struct arena *arena)
{
	if (side->count == 0)
		return err_ok();
	if (side->reader == NULL)
		TRY(kafka_reader_open(side->conf.kafka, &side->reader));
	for (size_t i = 0; i < side->count; i++) {
		TRY(turn_reading(side, &side->readings[i]));
		TRY(write_down(side, &side->readings[i], arena));
	}
	return err_ok();
}
