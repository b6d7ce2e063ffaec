/*
 * A log that does not go on where it ended: cut by its retention before we read it, or another one
 * under the old name (the topic was made anew, a leader lost its tail). The library goes on at the
 * log's beginning by itself; here the places and epochs of the old log are forgotten.
 */
#include "frame/consumer_state.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "frame/fence.h"
#include "frame/journal.h"
#include "port/kafka.h"

enum {
	ASK_MS = 1000,
	TURN_MS = 1000,
	ODD_MS = 3000,	/* watermarks are as old as the last fetch: this long they may be wrong */
	GAP_LEAST = 10, /* of offsets; control records leave smaller ones */
};

/* What a log has, and what we wanted of it. */
struct extent {
	int64_t low, high, wanted;
	bool anew; /* it ends before us: it is another log */
};

bool consumer_log_goes_on(struct consumer_owned *owned, int64_t offset)
{
	int64_t next = owned->partition->next;

	if (owned->back_to != KAFKA_NO_OFFSET)
		return false;
	if (owned->sought || next < 0)
		return true;
	/* the last record comes once more when the library was paused at that moment */
	if (offset < next - 1) {
		owned->back_to = offset;
		return false;
	}
	if (offset - next >= GAP_LEAST && owned->gap_from == KAFKA_NO_OFFSET)
		owned->gap_from = next;
	return true;
}

struct err consumer_log_move(struct consumer *consumer, struct consumer_owned *owned, int64_t to)
{
	const struct kafka_place place = { .topic = owned->partition->topic,
		.partition = owned->partition->number,
		.offset = to };

	TRY(kafka_consumer_seek(consumer->kafka, &place));
	schedule_pass(consumer->conf.schedule, owned->partition, to - 1);
	owned->sought = true;
	owned->back_to = KAFKA_NO_OFFSET;
	return err_ok();
}

static void tell(enum log_level level, const struct consumer_owned *owned, const char *event,
	const struct extent *log)
{
	LOG(level, event, LOG_TEXT("topic", owned->partition->topic),
		LOG_INT("partition", owned->partition->number), LOG_INT("wanted", log->wanted),
		LOG_INT("log_begins", log->low), LOG_INT("log_ends", log->high));
}

/* A topic's commits go with it, also those of partitions that had no record and so show nothing:
 * they are told to Kafka again. Without one KEDA would see a lag, and the stock tool moves nothing.
 */
static void forget_commits(struct consumer *consumer, const char *topic)
{
	for (size_t i = 0; i < consumer->owned_count; i++)
		if (strcmp(consumer->owned[i].partition->topic, topic) == 0)
			consumer->owned[i].committed = KAFKA_NO_OFFSET;
}

/* Reads from `at` on, as if nothing of it had been seen; the inbox drops what was. */
static struct err begin_again(struct consumer *consumer, struct consumer_owned *owned,
	const struct extent *log, int64_t at)
{
	const struct partition *partition = owned->partition;
	const struct journal_place where = { consumer->conf.group, partition->topic,
		partition->number };
	const struct fence cut = {
		.topic = partition->topic, .partition = partition->number, .next_offset = at
	};

	TRY(fence_cut(consumer->conf.pg, consumer->conf.group, &cut));
	if (log->anew) {
		TRY(replay_forget(consumer->conf.pg, &where));
		TRY(consumer_replay_load(consumer));
		forget_commits(consumer, partition->topic);
	}
	owned->committed = KAFKA_NO_OFFSET;
	return consumer_log_move(consumer, owned, at);
}

/* Something was odd: the broker knows. */
static struct err look_at(struct consumer *consumer, struct consumer_owned *owned)
{
	const struct kafka_place place = { .topic = owned->partition->topic,
		.partition = owned->partition->number };
	bool back = owned->back_to != KAFKA_NO_OFFSET, gap = owned->gap_from != KAFKA_NO_OFFSET;
	int64_t next = owned->partition->next;
	struct extent log = { .wanted = gap ? owned->gap_from : next };

	TRY(kafka_consumer_ask_watermarks(consumer->kafka, &place, ASK_MS, &log.low, &log.high));
	log.anew = log.high < next;
	bool cut = log.wanted < log.low;
	if (cut || log.anew)
		tell(LOG_ERROR, owned, "consumer.data_loss", &log);
	else if (back) /* the log is whole: the library read some of it twice, and so do we */
		tell(LOG_WARN, owned, "consumer.log_went_back", &log);
	if (back || log.anew || (cut && !gap))
		TRY(begin_again(
			consumer, owned, &log, log.anew || !back ? log.low : owned->back_to));
	consumer->counts.cuts += cut || log.anew;
	owned->gap_from = KAFKA_NO_OFFSET;
	owned->odd_ms = 0;
	return err_ok();
}

/* Everything that came is done, and the log's end is elsewhere. */
static bool ends_elsewhere(struct consumer *consumer, const struct consumer_owned *owned)
{
	const struct partition *partition = owned->partition;
	int64_t low, high;

	return !owned->paused && !owned->sought && partition->next >= 0 &&
	       schedule_watermark(consumer->conf.schedule, owned->partition) == partition->next &&
	       kafka_consumer_watermarks(
		       consumer->kafka, partition->topic, partition->number, &low, &high) &&
	       high != partition->next &&
	       kafka_consumer_position(consumer->kafka, partition->topic, partition->number) !=
		       high;
}

static bool is_odd(struct consumer *consumer, struct consumer_owned *owned)
{
	int64_t now_ms = clock_mono_ms();

	if (owned->back_to != KAFKA_NO_OFFSET || owned->gap_from != KAFKA_NO_OFFSET)
		return true;
	if (owned->held_by > 0 || !ends_elsewhere(consumer, owned))
		owned->odd_ms = 0;
	else if (owned->odd_ms == 0)
		owned->odd_ms = now_ms;
	return owned->odd_ms > 0 && now_ms - owned->odd_ms >= ODD_MS;
}

void consumer_log_turn(struct consumer *consumer)
{
	struct err e = err_ok();

	if (clock_mono_ms() < consumer->times.log_ms)
		return;
	consumer->times.log_ms = clock_mono_ms() + TURN_MS;
	for (size_t i = 0; i < consumer->owned_count && e.kind == ERR_OK; i++)
		if (is_odd(consumer, &consumer->owned[i]))
			e = look_at(consumer, &consumer->owned[i]);
	if (e.kind != ERR_OK)
		LOG(LOG_WARN, "consumer.log_unknown", LOG_ERR(e));
}
