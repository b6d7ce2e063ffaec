/* Side replays of the partitions we own: their sources, and what is read for them. */
#include "frame/consumer_state.h"

#include <stdlib.h>

#include "frame/side.h"

static bool is_unclean(struct consumer *consumer, const struct partition *source)
{
	const struct consumer_owned *owned =
		consumer_state_find(consumer, source->topic, source->number);

	return owned != NULL && owned->unclean;
}

static void on_side_record(void *arg, struct partition *source, const struct replay *replay,
	const struct kafka_record *record)
{
	struct consumer *consumer = arg;
	struct record *made = consumer_record(consumer, record);

	(void)replay;
	if (made == NULL) {
		schedule_pass(consumer->conf.schedule, source, record->offset);
		return;
	}
	made->partition = source;
	made->past.suspect = is_unclean(consumer, source);
	schedule_add(consumer->conf.schedule, made);
}

struct err consumer_side_open(struct consumer *consumer)
{
	const struct side_conf conf = { .kafka = consumer->conf.kafka,
		.schedule = consumer->conf.schedule,
		.pg = consumer->conf.pg,
		.outbox = consumer->conf.outbox,
		.record = on_side_record,
		.arg = consumer };

	consumer->sides.reader = side_new(&conf);
	return consumer->sides.reader == NULL
		       ? err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for side replays")
		       : err_ok();
}

void consumer_side_close(struct consumer *consumer)
{
	side_free(consumer->sides.reader);
}

static bool is_live(const struct replay *replay)
{
	return replay->kind == REPLAY_SIDE &&
	       (replay->state == REPLAY_OPEN || replay->state == REPLAY_PAUSED);
}

/* Makes room for others; what a source still has in the schedule is handled all the same. */
static void forget_ended(struct consumer *consumer)
{
	struct consumer_sides *sides = &consumer->sides;
	const struct replay_list *list = &consumer->replays.list;
	size_t kept = 0;

	for (size_t i = 0; i < sides->count; i++) {
		bool live = false;
		for (size_t k = 0; k < list->count && !live; k++)
			live = list->items[k].id == sides->items[i].replay &&
			       is_live(&list->items[k]);
		if (live)
			sides->items[kept++] = sides->items[i];
	}
	sides->count = kept;
}

static struct partition *source_of(struct consumer *consumer, const struct replay *replay)
{
	struct consumer_sides *sides = &consumer->sides;
	const struct consumer_owned *owned =
		consumer_state_find(consumer, replay->topic, replay->partition);

	for (size_t i = 0; i < sides->count; i++)
		if (sides->items[i].replay == replay->id)
			return sides->items[i].source;
	if (owned == NULL || owned->held_by > 0 || sides->count == CONSUMER_SIDES_MAX)
		return NULL;
	struct partition *source = schedule_assign(consumer->conf.schedule, SOURCE_SIDE,
		replay->topic, replay->partition, owned->partition->fence);
	if (source == NULL)
		return NULL;
	source->doubt_ms = owned->partition->doubt_ms;
	sides->items[sides->count++] = (struct consumer_side){ replay->id, source };
	return source;
}

void consumer_side_sync(struct consumer *consumer)
{
	struct side_item *items = calloc(consumer->replays.list.count + 1, sizeof *items);
	size_t count = 0;

	forget_ended(consumer);
	for (size_t i = 0; items != NULL && i < consumer->replays.list.count; i++) {
		const struct replay *replay = &consumer->replays.list.items[i];
		if (!is_live(replay))
			continue;
		struct partition *source = source_of(consumer, replay);
		if (source != NULL && count < SIDE_MAX)
			items[count++] = (struct side_item){ *replay, source };
	}
	side_set(consumer->sides.reader, items, count);
	free(items);
}

void consumer_side_turn(struct consumer *consumer)
{
	if (!consumer->draining && side_active(consumer->sides.reader) > 0)
		consumer_state_tell(consumer, side_poll(consumer->sides.reader, consumer->arena));
}

void consumer_side_clear(struct consumer *consumer)
{
	side_set(consumer->sides.reader, NULL, 0);
	consumer->sides.count = 0;
}
