#include "replay_plan.h"

#include "base/clock.h"
#include "port/kafka.h"
#include "port/kafka_admin.h"
#include "config.h"

enum { TIMEOUT_MS = 10000, RATE_MAX = 1000000 };

/* --- what was asked for --- */

bool replay_plan_read_bound(const char *text, struct replay_plan_bound *ret_bound)
{
	struct replay_plan_bound bound = { .is_time = true };
	uint64_t offset;

	if (str_to_u64(str_of(text), &offset) && offset <= INT64_MAX)
		bound = (struct replay_plan_bound){ false, (int64_t)offset };
	else if (!clock_parse(str_of(text), &bound.value))
		return false;
	*ret_bound = bound;
	return true;
}

struct replay_plan_range replay_plan_clip(
	struct replay_plan_range asked, struct replay_plan_range log, int64_t progress)
{
	if (progress < log.from) /* also when the group has not begun */
		progress = log.from;
	if (asked.from < log.from)
		asked.from = log.from;
	if (asked.to > log.to)
		asked.to = log.to;
	if (asked.to > progress)
		asked.to = progress;
	if (asked.from > asked.to)
		asked.from = asked.to;
	return asked;
}

struct err replay_plan_read(const struct command_call *call, struct replay_plan *plan)
{
	uint64_t rate = 0;
	const char *text = command_value(call, "--rate");

	if (!replay_plan_read_bound(command_value(call, "--from"), &plan->from))
		return err_reject(ERR_CODE_BAD_PARAMETER,
			"--from: a time with a zone (RFC 3339) or an offset");
	if (!replay_plan_read_bound(command_value(call, "--to"), &plan->to))
		return err_reject(
			ERR_CODE_BAD_PARAMETER, "--to: a time with a zone (RFC 3339) or an offset");
	if (plan->from.is_time == plan->to.is_time && plan->from.value >= plan->to.value)
		return err_reject(ERR_CODE_BAD_PARAMETER, "--to: has to be after --from");
	if (text != NULL && (!str_to_u64(str_of(text), &rate) || rate == 0 || rate > RATE_MAX))
		return err_reject(ERR_CODE_BAD_PARAMETER, "--rate: 1 to 1000000 records a second");
	plan->rate = (int64_t)rate;
	return err_ok();
}

/* --- what there is --- */

static void close_admin(struct kafka_admin **admin)
{
	kafka_admin_close(*admin);
}

static void close_reader(struct kafka_reader **reader)
{
	kafka_reader_close(*reader);
}

static struct err count_partitions(const struct command_call *call, size_t *ret_count)
{
	const struct kafka_conf conf = config_kafka(call->config);
	struct kafka_admin *admin SCOPED(close_admin) = NULL;
	const char *topic = command_value(call, "--topic");
	int count = 0;

	TRY(kafka_admin_open(&conf, &admin));
	TRY(kafka_admin_partitions(admin, topic, TIMEOUT_MS, &count));
	*ret_count = (size_t)count;
	if (count > 0)
		return err_ok();
	const char *msg = arena_printf(call->arena, "there is no topic %s", topic);
	return err_reject(ERR_CODE_NOT_FOUND, msg == NULL ? "there is no such topic" : msg);
}

/* offsets[p] of a bound; past the end of the log when nothing is that late. */
static struct err find_offsets(const struct command_call *call, struct kafka_reader *reader,
	struct replay_plan_bound bound, struct kafka_place *places, size_t count)
{
	for (size_t p = 0; p < count; p++)
		places[p] = (struct kafka_place){ .topic = command_value(call, "--topic"),
			.partition = (int32_t)p,
			.offset = bound.value };
	if (!bound.is_time)
		return err_ok();
	TRY(kafka_reader_find_time(reader, places, count, bound.value, TIMEOUT_MS));
	for (size_t p = 0; p < count; p++)
		if (places[p].offset == KAFKA_NO_OFFSET)
			places[p].offset = INT64_MAX;
	return err_ok();
}

struct ends {
	struct kafka_place *from, *to;
	int64_t *progress;
};

static struct err make_parts(
	struct kafka_reader *reader, const struct ends *ends, struct codec_list *parts)
{
	struct store_replay_part *part = parts->items;

	for (size_t p = 0; p < parts->count; p++) {
		struct replay_plan_range log;
		const struct replay_plan_range asked = { ends->from[p].offset, ends->to[p].offset };
		TRY(kafka_reader_range(reader, &ends->from[p], TIMEOUT_MS, &log.from, &log.to));
		const struct replay_plan_range range =
			replay_plan_clip(asked, log, ends->progress[p]);
		part[p] = (struct store_replay_part){ .partition = (int64_t)p,
			.from_offset = range.from,
			.to_offset = range.to,
			.records = range.to - range.from };
	}
	return err_ok();
}

struct err replay_plan_look(
	const struct command_call *call, struct pg *pg, struct replay_plan *plan)
{
	const struct kafka_conf conf = config_kafka(call->config);
	struct kafka_reader *reader SCOPED(close_reader) = NULL;
	size_t count = 0;

	TRY(count_partitions(call, &count));
	const struct ends ends = { arena_alloc(call->arena, count * sizeof *ends.from),
		arena_alloc(call->arena, count * sizeof *ends.to),
		arena_alloc(call->arena, count * sizeof *ends.progress) };
	plan->parts.items = arena_alloc(call->arena, count * sizeof(struct store_replay_part));
	plan->parts.count = count;
	if (ends.from == NULL || ends.to == NULL || ends.progress == NULL ||
		plan->parts.items == NULL)
		return arena_overflow();
	TRY(store_replay_progress(pg, call->arena, &plan->row.of, ends.progress, count));
	TRY(kafka_reader_open(&conf, &reader));
	TRY(find_offsets(call, reader, plan->from, ends.from, count));
	TRY(find_offsets(call, reader, plan->to, ends.to, count));
	return make_parts(reader, &ends, &plan->parts);
}

/* The rate is the plan's; each partition that has something to read gets its part, at least 1. */
void replay_plan_share(struct replay_plan *plan)
{
	const struct store_replay_part *part = plan->parts.items;
	int64_t busy = 0;

	for (size_t p = 0; p < plan->parts.count; p++)
		busy += part[p].records > 0;
	if (plan->rate > 0 && busy > 0)
		plan->row.rate = plan->rate < busy ? 1 : plan->rate / busy;
}
