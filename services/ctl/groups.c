#include "groups.h"

#include <string.h>

#include "base/clock.h"
#include "config.h"
#include "list.h"
#include "store.h"
#include "store_partner.h"
#include "store_replay.h"

#define ROW(member, kind, required)                                                                \
	CODEC_FIELD(struct groups_row, member, kind, CODEC_PLAIN, required, 0)

static const struct codec_field row_fields[] = {
	ROW(group, CODEC_TEXT, true),
	ROW(topic, CODEC_TEXT, true),
	ROW(state, CODEC_TEXT, true),
	ROW(members, CODEC_INT, true),
	ROW(lag, CODEC_INT, true),
	ROW(oldest_s, CODEC_INT, false),
	ROW(due, CODEC_INT, true),
	ROW(blocked, CODEC_INT, true),
	ROW(overflow, CODEC_INT, true),
	ROW(held, CODEC_INT, true),
	ROW(dead, CODEC_INT, true),
	ROW(epoch, CODEC_INT, true),
	ROW(holds, CODEC_TEXT, false),
	CODEC_END,
};
const struct codec_type groups_rows = { "estctl.group", sizeof(struct groups_row), row_fields };

#define PART(member, kind, required)                                                               \
	CODEC_FIELD(struct groups_partition, member, kind, CODEC_PLAIN, required, 0)

static const struct codec_field partition_fields[] = {
	PART(group, CODEC_TEXT, true),
	PART(topic, CODEC_TEXT, true),
	PART(partition, CODEC_INT, true),
	PART(committed, CODEC_INT, false),
	PART(end, CODEC_INT, true),
	PART(lag, CODEC_INT, true),
	PART(oldest_s, CODEC_INT, false),
	PART(due, CODEC_INT, true),
	PART(blocked, CODEC_INT, true),
	PART(overflow, CODEC_INT, true),
	PART(held, CODEC_INT, true),
	PART(dead, CODEC_INT, true),
	PART(epoch, CODEC_INT, true),
	PART(hold, CODEC_TEXT, false),
	CODEC_END,
};
const struct codec_type groups_partitions = { "estctl.group.partition",
	sizeof(struct groups_partition), partition_fields };

/* --- lines --- */

static int64_t lag_of(const struct groups_look_part *part)
{
	int64_t lag = part->end - part->stored.offset;

	return lag < 0 ? 0 : lag;
}

static int64_t age_s(const struct groups_look_part *part, int64_t now_ms)
{
	if (part->first_ms == CODEC_NO_INT)
		return CODEC_NO_INT;
	return now_ms < part->first_ms ? 0 : (now_ms - part->first_ms) / 1000;
}

/* Holds of one kind, of a topic. */
struct hold_sum {
	const char *kind;
	int64_t partitions, records, since;
};

static void add_hold(struct hold_sum *sum, const struct store_groups_hold *hold)
{
	if (hold->kind == NULL || strcmp(hold->kind, sum->kind) != 0)
		return;
	if (sum->partitions == 0 || hold->since < sum->since)
		sum->since = hold->since;
	sum->partitions++;
	sum->records += hold->to - hold->from;
}

static struct err say_holds(
	const struct groups_look_part *parts, size_t count, struct arena *arena, const char **text)
{
	struct hold_sum sums[] = { { .kind = "rewind" }, { .kind = "skip" } };
	char since[CLOCK_TEXT_BYTES];

	for (size_t k = 0; k < sizeof sums / sizeof *sums; k++) {
		for (size_t i = 0; i < count; i++)
			add_hold(&sums[k], &parts[i].stored.hold);
		if (sums[k].partitions == 0)
			continue;
		clock_format(sums[k].since, since);
		*text = arena_printf(arena, "%s%s%s of %lld partitions, %lld records, since %s",
			*text == NULL ? "" : *text, *text == NULL ? "" : "; ", sums[k].kind,
			(long long)sums[k].partitions, (long long)sums[k].records, since);
		if (*text == NULL)
			return arena_overflow();
	}
	return err_ok();
}

static void add_part(struct groups_row *row, const struct groups_look_part *part, int64_t now_ms)
{
	const struct store_groups_part *stored = &part->stored;
	int64_t oldest_s = age_s(part, now_ms);

	row->lag += lag_of(part);
	if (oldest_s > row->oldest_s) /* CODEC_NO_INT is the least */
		row->oldest_s = oldest_s;
	row->due += stored->due;
	row->blocked += stored->blocked;
	row->overflow += stored->overflow;
	row->held += stored->held;
	row->dead += stored->dead;
	if (stored->epoch > row->epoch)
		row->epoch = stored->epoch;
}

struct err groups_sum(const struct groups_look_group *group, int64_t now_ms, struct arena *arena,
	struct codec_list *rows)
{
	const struct groups_look_part *parts = group->parts;

	for (size_t from = 0, to = 0; from < group->count; from = to) {
		struct groups_row *row = (struct groups_row *)rows->items + rows->count++;
		*row = (struct groups_row){ .group = group->name,
			.topic = parts[from].stored.topic,
			.state = group->state,
			.members = group->members,
			.oldest_s = CODEC_NO_INT };
		for (; to < group->count && parts[to].stored.topic == row->topic; to++)
			add_part(row, &parts[to], now_ms);
		TRY(say_holds(parts + from, to - from, arena, &row->holds));
	}
	return err_ok();
}

static struct err say_hold(
	const struct store_groups_hold *hold, struct arena *arena, const char **ret_text)
{
	char since[CLOCK_TEXT_BYTES];

	*ret_text = NULL;
	if (hold->kind == NULL)
		return err_ok();
	clock_format(hold->since, since);
	*ret_text = arena_printf(arena, "%s of %lld to %lld, since %s", hold->kind,
		(long long)hold->from, (long long)hold->to, since);
	return *ret_text == NULL ? arena_overflow() : err_ok();
}

struct err groups_detail(const struct groups_look_group *group, int64_t now_ms, struct arena *arena,
	struct codec_list *rows)
{
	for (size_t i = 0; i < group->count; i++) {
		const struct groups_look_part *part = &group->parts[i];
		const struct store_groups_part *stored = &part->stored;
		const char *hold;
		TRY(say_hold(&stored->hold, arena, &hold));
		((struct groups_partition *)rows->items)[rows->count++] =
			(struct groups_partition){ .group = group->name,
				.topic = stored->topic,
				.partition = stored->partition,
				.committed = part->committed,
				.end = part->end,
				.lag = lag_of(part),
				.oldest_s = age_s(part, now_ms),
				.due = stored->due,
				.blocked = stored->blocked,
				.overflow = stored->overflow,
				.held = stored->held,
				.dead = stored->dead,
				.epoch = stored->epoch,
				.hold = hold };
	}
	return err_ok();
}

/* --- list --- */

static struct err look_at(struct groups_look *look, const struct command_call *call, struct pg *pg,
	struct groups_look_group *group)
{
	struct store_groups_part *stored;

	TRY(groups_look_at(look, group));
	const struct store_groups_of of = { group->service, group->name };
	stored = arena_alloc(call->arena, group->count * sizeof *stored + 1);
	if (stored == NULL)
		return arena_overflow();
	for (size_t i = 0; i < group->count; i++)
		stored[i] = group->parts[i].stored;
	TRY(store_groups_look(pg, call->arena, &of, stored, group->count));
	for (size_t i = 0; i < group->count; i++)
		group->parts[i].stored = stored[i];
	return err_ok();
}

/* The services that are asked for: *ret_names is the command's arena's. */
static struct err find_services(
	const struct command_call *call, struct pg *pg, const char ***ret_names, size_t *ret_count)
{
	const char *wanted = command_value(call, "--service");
	const char **names;
	size_t count = 0;

	TRY(store_replay_services(pg, call->arena, &names, &count));
	*ret_names = names;
	*ret_count = wanted == NULL ? count : 1;
	if (wanted == NULL)
		return err_ok();
	for (size_t i = 0; i < count; i++) {
		if (strcmp(names[i], wanted) == 0) {
			*ret_names = &names[i];
			return err_ok();
		}
	}
	const char *msg = arena_printf(call->arena, "--service: there is no service %s", wanted);
	return err_reject(ERR_CODE_BAD_PARAMETER, msg == NULL ? "no such service" : msg);
}

/* The thread of intake that reads what partners send, by a group of its own: of active partners
 * also where it has not committed anything. */
static struct err find_bridge(
	const struct command_call *call, struct pg *pg, struct groups_look_group *ret_group)
{
	struct codec_list rows;
	size_t count = 0;

	TRY(store_partner_list(pg, call->arena, &rows));
	const struct store_partner *partners = rows.items;
	const char **topics = arena_alloc(call->arena, (rows.count + 1) * sizeof *topics);
	for (size_t i = 0; topics != NULL && i < rows.count; i++) {
		if (strcmp(partners[i].state, "active") != 0)
			continue;
		topics[count] = arena_printf(call->arena, "%spartner.%s.in",
			call->config->space.prefix, partners[i].slug);
		if (topics[count++] == NULL)
			return arena_overflow();
	}
	if (topics == NULL)
		return arena_overflow();
	topics[count] = NULL;
	*ret_group = (struct groups_look_group){
		.service = "intake", .part = "intake.partners", .more_topics = topics
	};
	return err_ok();
}

/* The groups of the services that are asked for, not looked at yet. */
static struct err find_groups(const struct command_call *call, struct pg *pg,
	struct groups_look_group **ret_groups, size_t *ret_count)
{
	const char **names;
	size_t services = 0, count = 0;

	TRY(find_services(call, pg, &names, &services));
	struct groups_look_group *groups =
		arena_alloc(call->arena, (services + 1) * sizeof *groups);
	if (groups == NULL)
		return arena_overflow();
	for (size_t i = 0; i < services; i++) {
		groups[count++] =
			(struct groups_look_group){ .service = names[i], .part = names[i] };
		if (strcmp(names[i], "intake") == 0)
			TRY(find_bridge(call, pg, &groups[count++]));
	}
	*ret_groups = groups;
	*ret_count = count;
	return err_ok();
}

static struct err list(const struct command_call *call)
{
	struct pg *pg;
	struct groups_look *look SCOPED(groups_look_close) = NULL;
	bool detailed = command_value(call, "--partitions") != NULL;
	const struct codec_type *type = detailed ? &groups_partitions : &groups_rows;
	struct codec_list rows = { NULL, 0 };
	struct groups_look_group *groups;
	size_t count = 0, lines = 0;

	TRY(store_open(call->config->pg_owner_url, call->arena, &pg));
	TRY(find_groups(call, pg, &groups, &count));
	TRY(groups_look_open(call, &look));
	for (size_t i = 0; i < count; i++) {
		TRY(look_at(look, call, pg, &groups[i]));
		lines += groups[i].count;
	}
	rows.items = arena_alloc(call->arena, lines * type->size + 1);
	if (rows.items == NULL)
		return arena_overflow();
	for (size_t i = 0; i < count; i++)
		TRY((detailed ? groups_detail : groups_sum)(
			&groups[i], clock_wall_ms(), call->arena, &rows));
	return list_print(type, &rows, command_value(call, "--json") != NULL, stdout);
}

static const struct command_option options[] = {
	{ "--service", "NAME", false, "Only the group of this service." },
	{ "--partitions", NULL, false, "A line for each partition." },
	{ "--json", NULL, false, "A JSON array instead of a table." },
	{ NULL, NULL, false, NULL },
};

const struct command groups_commands[] = {
	{ "groups", "list", NULL, options, CONFIG_KAFKA | CONFIG_PG,
		"Shows how far the consumer groups are and what waits; the verb may be left out.",
		list },
	{ NULL, NULL, NULL, NULL, 0, NULL, NULL },
};
