#include "frame/takeover.h"

#include "base/failpoint.h"
#include "base/log.h"
#include "frame/fence.h"
#include "frame/journal.h"

static void tell(const struct takeover *takeover, const struct kafka_place *place,
	const struct takeover_start *start)
{
	bool usual = start->what == ASSIGN_RESUME || start->what == ASSIGN_FRESH ||
		     start->what == ASSIGN_SAME;

	LOG(usual ? LOG_DEBUG : LOG_WARN, "consumer.assigned", LOG_TEXT("group", takeover->group),
		LOG_TEXT("topic", place->topic), LOG_INT("partition", place->partition),
		LOG_INT("committed", place->offset), LOG_INT("start", start->offset),
		LOG_INT("held_by", start->held_by), LOG_INT("suspect_to", start->suspect_to),
		LOG_TEXT("case", assign_case_name(start->what)));
}

static struct assign_decision decide(
	const struct takeover *takeover, const struct kafka_place *place, const struct fence *fence)
{
	const struct assign_input input = {
		.has_commit = place->offset >= 0,
		.has_progress = fence->has_progress,
		.commit = place->offset,
		.progress = fence->next_offset,
		.metadata = str_of(place->metadata),
		.cluster = str_of(takeover->cluster),
		.row_cluster = str_of(fence->cluster),
	};

	return assign_decide(&input);
}

/* An operator has moved the group: what the row of the move says now decides. */
static struct err open_move(const struct takeover *takeover, const struct kafka_place *place,
	const struct fence *fence, struct takeover_start *start)
{
	bool rewind = start->what == ASSIGN_REWIND;
	struct replay_move move = { .group = takeover->group,
		.topic = place->topic,
		.cluster = takeover->cluster,
		.partition = place->partition,
		.kind = rewind ? REPLAY_REWIND : REPLAY_SKIP,
		.from = rewind ? place->offset : fence->next_offset,
		.to = rewind ? fence->frontier : place->offset };
	struct replay replay;

	move.hold = !rewind || move.to - move.from > takeover->replay_max;
	TRY(replay_open(takeover->pg, takeover->arena, &move, takeover->outbox, &replay));
	failpoint_reach("after_replay_open");
	start->otherwise = fence->next_offset;
	if (replay.state == REPLAY_HELD)
		start->held_by = replay.id;
	else if (replay.state == REPLAY_REFUSED)
		start->offset = fence->next_offset;
	return err_ok();
}

static struct err find_suspects(const struct takeover *takeover, const struct kafka_place *place,
	const struct fence *fence, struct takeover_start *start)
{
	const struct journal_place where = { takeover->group, place->topic, place->partition };
	int64_t after = 0;

	if (!fence->has_progress || fence->clean)
		return err_ok();
	TRY(journal_last(takeover->pg, takeover->arena, &where, &after));
	start->suspect_to = fence->next_offset + REPLAY_AHEAD_MAX;
	if (after > start->suspect_to)
		start->suspect_to = after;
	return err_ok();
}

static struct err take_one(const struct takeover *takeover, const struct kafka_place *place,
	const struct fence *fence, struct takeover_start *start)
{
	struct assign_decision decision = decide(takeover, place, fence);

	*start = (struct takeover_start){ .fence = fence->number,
		.timeline = fence->timeline,
		.doubt_ms = fence->doubt_ms,
		.offset = decision.start,
		.what = decision.what };
	const struct journal_place where = { takeover->group, place->topic, place->partition };
	if (decision.what == ASSIGN_NEW_CLUSTER)
		TRY(replay_forget(takeover->pg, &where));
	if (decision.what == ASSIGN_REWIND || decision.what == ASSIGN_SKIP)
		TRY(open_move(takeover, place, fence, start));
	TRY(find_suspects(takeover, place, fence, start));
	tell(takeover, place, start);
	return err_ok();
}

struct err takeover_run(const struct takeover *takeover, const struct kafka_place *places,
	size_t count, struct takeover_start *starts)
{
	struct fence *fences = arena_alloc(takeover->arena, (count + 1) * sizeof *fences);

	if (fences == NULL)
		return arena_overflow();
	for (size_t i = 0; i < count; i++)
		fences[i] = (struct fence){ .topic = places[i].topic,
			.partition = places[i].partition };
	TRY(fence_raise(takeover->pg, takeover->arena, takeover->group, fences, count));
	for (size_t i = 0; i < count; i++)
		TRY(take_one(takeover, &places[i], &fences[i], &starts[i]));
	return err_ok();
}
