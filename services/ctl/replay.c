#include "replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/id.h"
#include "port/pg.h"
#include "frame/operation.h"
#include "config.h"
#include "list.h"
#include "replay_plan.h"
#include "store.h"
#include "store_replay.h"

enum { ROWS_MAX = 1000 };

/* --- what was asked for --- */

const char *replay_service_of(const char *group, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(group, prefix, len) == 0 ? group + len : "";
}

static struct err missing(const struct command_call *call, const char *what, const char *name)
{
	const char *msg = arena_printf(call->arena, "there is no %s %s", what, name);

	return err_reject(ERR_CODE_NOT_FOUND, msg == NULL ? what : msg);
}

/* Who is at the keyboard, as far as the machine knows. */
static const char *user(void)
{
	const char *name = getenv("SUDO_USER");

	if (name == NULL || name[0] == '\0')
		name = getenv("USER");
	return name == NULL || name[0] == '\0' || !str_is_utf8(str_of(name)) ||
			       strlen(name) > OPERATION_TEXT_MAX
		       ? "operator"
		       : name;
}

/* A text of the audit entry, or NULL when it was not given. */
static struct err read_words(
	const struct command_call *call, const char *option, const char **ret_words)
{
	struct str words = str_of(command_value(call, option));

	if (words.ptr != NULL &&
		(words.len == 0 || words.len > OPERATION_TEXT_MAX || !str_is_utf8(words)))
		return err_reject(
			ERR_CODE_BAD_PARAMETER, "--who and --reason: 1 to 255 bytes of UTF-8");
	*ret_words = words.ptr;
	return err_ok();
}

/* The service named by --service, or by the group; "" when neither does. It has to be one of those
 * that have a schema. */
static struct err find_service(
	const struct command_call *call, struct pg *pg, const char *group, const char **ret_service)
{
	const char *wanted = command_value(call, "--service");
	const char **names;
	size_t count = 0;

	if (wanted == NULL)
		wanted = group == NULL ? "" : replay_service_of(group, call->config->space.prefix);
	TRY(store_replay_services(pg, call->arena, &names, &count));
	for (size_t i = 0; i < count; i++) {
		if (strcmp(names[i], wanted) == 0) {
			*ret_service = names[i];
			return err_ok();
		}
	}
	return wanted[0] == '\0'
		       ? err_reject(ERR_CODE_BAD_PARAMETER, "--service: needed, no group names one")
		       : missing(call, "service", wanted);
}

/* --- plan --- */

static struct err make_range(
	const struct command_call *call, struct pg *pg, struct replay_plan *range)
{
	const char *slug = command_value(call, "--tenant");
	struct store_replay_plan *plan = &range->row;

	plan->of.group = command_value(call, "--group");
	plan->of.topic = command_value(call, "--topic");
	plan->who = user();
	plan->has_tenant = slug != NULL;
	TRY(find_service(call, pg, plan->of.group, &plan->of.service));
	if (slug != NULL)
		TRY(store_find_tenant(pg, call->arena, slug, &plan->tenant));
	return replay_plan_look(call, pg, range);
}

static struct err plan(const struct command_call *call)
{
	struct pg *pg;
	struct replay_plan range = { .rate = 0 };

	TRY(replay_plan_read(call, &range));
	TRY(store_open(call->config->pg_owner_url, call->arena, &pg));
	TRY(make_range(call, pg, &range));
	return list_print(
		&store_replay_parts, &range.parts, command_value(call, "--json") != NULL, stdout);
}

/* --- start --- */

static struct err start(const struct command_call *call)
{
	const struct outbox_conf outbox = config_outbox(call->config);
	struct pg *pg;
	struct replay_plan range = { .row.plan = id_v7() };
	char *id = arena_alloc(call->arena, ID_TEXT_BYTES);

	if (id == NULL)
		return arena_overflow();
	id_format(range.row.plan, id);
	TRY(replay_plan_read(call, &range));
	TRY(store_open(call->config->pg_owner_url, call->arena, &pg));
	TRY(make_range(call, pg, &range));
	replay_plan_share(&range);
	TRY(store_replay_start(pg, call->arena, &range.row, &range.parts, &outbox));
	struct store_replay_part *part = range.parts.items;
	for (size_t p = 0; p < range.parts.count; p++)
		part[p].plan = part[p].records > 0 ? id : NULL;
	return list_print(
		&store_replay_parts, &range.parts, command_value(call, "--json") != NULL, stdout);
}

/* --- changes --- */

/* ID is a plan's UUID or a row's number. */
static struct err read_filter(const struct command_call *call, struct store_replay_filter *filter)
{
	const char *id = command_value(call, "--id");
	uint64_t number = 0;

	filter->group = command_value(call, "--group");
	filter->topic = command_value(call, "--topic");
	if (id == NULL || command_id(id, &filter->plan))
		return err_ok();
	if (!str_to_u64(str_of(id), &number) || number == 0 || number > INT64_MAX)
		return err_reject(
			ERR_CODE_BAD_PARAMETER, "--id: a plan's UUID or a replay's number");
	filter->id = (int64_t)number;
	return err_ok();
}

/* A plan is in one service alone; a number means another replay in each. */
static struct err find_plan(
	const struct command_call *call, struct pg *pg, struct store_replay_filter *filter)
{
	const char **names;
	size_t count = 0;
	struct codec_list found;

	TRY(store_replay_services(pg, call->arena, &names, &count));
	for (size_t i = 0; i < count; i++) {
		filter->service = names[i];
		TRY(store_replay_list(pg, call->arena, filter, &found));
		if (found.count > 0)
			return err_ok();
	}
	return missing(call, "replay", command_value(call, "--id"));
}

static struct err read_target(
	const struct command_call *call, struct pg *pg, struct store_replay_filter *filter)
{
	TRY(read_filter(call, filter));
	if (command_value(call, "--id") == NULL && filter->group == NULL)
		return err_reject(ERR_CODE_BAD_PARAMETER, "--id or --group is needed");
	if (command_value(call, "--service") == NULL && !id_is_nil(filter->plan))
		return find_plan(call, pg, filter);
	return find_service(call, pg, filter->group, &filter->service);
}

static struct err apply(const struct command_call *call, const struct store_replay_change *change)
{
	const struct outbox_conf outbox = config_outbox(call->config);
	struct pg *pg;
	struct store_replay_filter filter = { .id = 0 };
	struct store_replay_change full = *change;
	int64_t count = 0;

	TRY(store_open(call->config->pg_owner_url, call->arena, &pg));
	TRY(read_target(call, pg, &filter));
	full.outbox = &outbox;
	TRY(store_replay_change(pg, call->arena, &filter, &full, &count));
	if (count == 0)
		return missing(call, "replay like that which is", change->from);
	printf("%" PRId64 " replays: %s\n", count, change->to == NULL ? "noted" : change->to);
	return err_ok();
}

/* What each verb does to which rows. */
static struct err change_to(const struct command_call *call, const char *from, const char *to,
	const char *kinds, const char *action)
{
	const struct store_replay_change change = {
		.from = from, .to = to, .kinds = kinds, .action = action, .who = user()
	};

	return apply(call, &change);
}

static struct err pause_side(const struct command_call *call)
{
	return change_to(call, "open", "paused", "side", "replay.paused");
}

static struct err resume_side(const struct command_call *call)
{
	return change_to(call, "paused", "open", "side", "replay.resumed");
}

static struct err abort_side(const struct command_call *call)
{
	return change_to(call, "open,paused", "aborted", "side", "replay.aborted");
}

static struct err confirm(const struct command_call *call)
{
	return change_to(call, "held", "open", NULL, "replay.confirmed");
}

static struct err refuse(const struct command_call *call)
{
	return change_to(call, "held", "refused", NULL, "replay.refused");
}

static struct err annotate(const struct command_call *call)
{
	struct store_replay_change change = { .from = "held,open,paused,done,aborted,refused",
		.action = "replay.annotated" };

	TRY(read_words(call, "--who", &change.who));
	TRY(read_words(call, "--reason", &change.reason));
	return apply(call, &change);
}

/* --- status --- */

static struct err append(struct codec_list *all, const struct codec_list *some)
{
	if (all->count + some->count > ROWS_MAX)
		return err_reject(
			ERR_CODE_RECORD_TOO_LARGE, "more replays than a list holds: ask for less");
	if (some->count > 0)
		memcpy((struct store_replay_state *)all->items + all->count, some->items,
			some->count * sizeof(struct store_replay_state));
	all->count += some->count;
	return err_ok();
}

static struct err status(const struct command_call *call)
{
	struct pg *pg;
	struct store_replay_filter filter = { .id = 0 };
	struct codec_list some,
		all = { arena_alloc(call->arena, ROWS_MAX * sizeof(struct store_replay_state)), 0 };
	const char *wanted = command_value(call, "--service");
	const char **names;
	size_t count = 0;

	if (all.items == NULL)
		return arena_overflow();
	TRY(read_filter(call, &filter));
	TRY(store_open(call->config->pg_owner_url, call->arena, &pg));
	TRY(store_replay_services(pg, call->arena, &names, &count));
	for (size_t i = 0; i < count; i++) {
		filter.service = names[i];
		if (wanted != NULL && strcmp(wanted, names[i]) != 0)
			continue;
		TRY(store_replay_list(pg, call->arena, &filter, &some));
		TRY(append(&all, &some));
	}
	return list_print(
		&store_replay_states, &all, command_value(call, "--json") != NULL, stdout);
}

/* --- the table --- */

#define TOPIC(required) "--topic", "TOPIC", required, "The topic's full name."
#define GROUP(required) "--group", "GROUP", required, "The consumer group."
#define SERVICE                                                                                    \
	"--service", "NAME", false,                                                                \
		"Whose schema holds the rows; what follows the prefix in the group's name when "   \
		"not given."
#define JSON "--json", NULL, false, "A JSON array instead of a table."
#define ID   "--id", "ID", false, "A plan's UUID, or the number of one replay."
#define END                                                                                        \
	{                                                                                          \
		NULL, NULL, false, NULL                                                            \
	}

static const struct command_option range_options[] = {
	{ TOPIC(true) },
	{ GROUP(true) },
	{ "--from", "TIME", true, "The first record: RFC 3339 with a zone, or an offset." },
	{ "--to", "TIME", true, "The first record that is not replayed, likewise." },
	{ "--tenant", "SLUG", false, "Only records of this tenant." },
	{ "--rate", "N", false,
		"Records a second, of all partitions together (at least 1 each); no limit when not "
		"given." },
	{ SERVICE },
	{ JSON },
	END,
};

static const struct command_option target_options[] = {
	{ ID },
	{ GROUP(false) },
	{ TOPIC(false) },
	{ SERVICE },
	END,
};

static const struct command_option annotate_options[] = {
	{ ID },
	{ GROUP(false) },
	{ TOPIC(false) },
	{ SERVICE },
	{ "--who", "NAME", true, "Who moved the group." },
	{ "--reason", "TEXT", false, "Why." },
	END,
};

static const struct command_option status_options[] = {
	{ ID },
	{ GROUP(false) },
	{ TOPIC(false) },
	{ SERVICE },
	{ JSON },
	END,
};

enum { SETTINGS = CONFIG_KAFKA | CONFIG_PG };

const struct command replay_commands[] = {
	{ "replay", "plan", NULL, range_options, SETTINGS,
		"Shows what a side replay would read, and changes nothing.", plan },
	{ "replay", "start", NULL, range_options, SETTINGS,
		"Begins a side replay: the owners of the partitions read the range beside live "
		"traffic.",
		start },
	{ "replay", "pause", NULL, target_options, SETTINGS, "Stops side replays where they are.",
		pause_side },
	{ "replay", "resume", NULL, target_options, SETTINGS, "Goes on with paused ones.",
		resume_side },
	{ "replay", "abort", NULL, target_options, SETTINGS,
		"Ends side replays for good; what was handled stays handled.", abort_side },
	{ "replay", "status", NULL, status_options, SETTINGS,
		"Lists side replays by plan, and moves of groups by partition.", status },
	{ "replay", "confirm", NULL, target_options, SETTINGS,
		"Lets a held move of a group happen.", confirm },
	{ "replay", "refuse", NULL, target_options, SETTINGS,
		"Takes a held move back: the group goes on where it was.", refuse },
	{ "replay", "annotate", NULL, annotate_options, SETTINGS,
		"Writes down who moved a group, and why.", annotate },
	{ NULL, NULL, NULL, NULL, 0, NULL, NULL },
};
