#include "dlq.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/id.h"
#include "port/pg.h"
#include "frame/operation.h"
#include "config.h"
#include "dlq_show.h"
#include "list.h"
#include "store.h"
#include "store_dlq.h"
#include "store_replay.h"
#include "who.h"

enum { CHUNK_MAX = 100 };

/* --- what was asked for --- */

static struct err bad(const struct command_call *call, const char *why, const char *what)
{
	const char *msg = arena_printf(call->arena, "%s: %s", why, what);

	return err_reject(ERR_CODE_BAD_PARAMETER, msg == NULL ? why : msg);
}

static bool wants_json(const struct command_call *call)
{
	return command_value(call, "--json") != NULL;
}

static struct err read_time(const struct command_call *call, const char *option, int64_t *ret_ms)
{
	const char *text = command_value(call, option);
	int64_t ms = CODEC_NO_INT;

	if (text != NULL && !clock_parse(str_of(text), &ms))
		return bad(call, option, "a time with a zone, like 2027-01-31T00:00:00Z");
	*ret_ms = ms;
	return err_ok();
}

/* 1 to max, or what it is when not given. */
static struct err read_number(
	const struct command_call *call, const char *option, uint64_t max, int64_t *number)
{
	const char *text = command_value(call, option);
	uint64_t read = 0;

	if (text == NULL)
		return err_ok();
	if (!str_to_u64(str_of(text), &read) || read < 1 || read > max)
		return bad(call, option, "too small, too large or no number");
	*number = (int64_t)read;
	return err_ok();
}

/* What all but show have in common. */
static struct err read_filter(
	const struct command_call *call, struct pg *pg, struct store_dlq_filter *ret_filter)
{
	const char *id = command_value(call, "--id"), *slug = command_value(call, "--tenant");
	struct store_dlq_filter filter = { .topic = command_value(call, "--topic"),
		.class = command_value(call, "--class"),
		.code = command_value(call, "--code"),
		.limit = DLQ_LIMIT };

	if (id != NULL && !command_id(id, &filter.id))
		return bad(call, "--id", "no UUID");
	if (filter.class != NULL && !err_class_is_known(filter.class))
		return bad(call, "there is no such class of errors", filter.class);
	if (filter.code != NULL && !err_code_is_known(filter.code))
		return bad(call, "there is no such error code", filter.code);
	TRY(read_time(call, "--from", &filter.from_ms));
	TRY(read_time(call, "--to", &filter.to_ms));
	filter.has_tenant = slug != NULL;
	if (slug != NULL)
		TRY(store_find_tenant(pg, call->arena, slug, &filter.tenant));
	*ret_filter = filter;
	return err_ok();
}

struct services {
	const char **names;
	size_t count;
};

/* All, or the one of --service. */
static struct err find_services(const struct command_call *call, struct pg *pg, const char *wanted,
	struct services *ret_all)
{
	struct services all = { NULL, 0 };

	TRY(store_replay_services(pg, call->arena, &all.names, &all.count));
	for (size_t i = 0; wanted != NULL && i < all.count; i++) {
		if (strcmp(all.names[i], wanted) == 0) {
			*ret_all = (struct services){ &all.names[i], 1 };
			return err_ok();
		}
	}
	if (wanted != NULL)
		return bad(call, "there is no such service", wanted);
	*ret_all = all;
	return err_ok();
}

/* --- letters of several services --- */

static int by_age(const void *a, const void *b)
{
	const struct store_dlq_letter *one = a, *two = b;

	if (one->created_at != two->created_at)
		return one->created_at < two->created_at ? -1 : 1;
	return strcmp(one->id, two->id);
}

static int by_youth(const void *a, const void *b)
{
	return by_age(b, a);
}

static struct err append(
	struct arena *arena, struct codec_list *all, const struct codec_list *some, size_t size)
{
	char *items = arena_alloc(arena, (all->count + some->count) * size + 1);

	if (items == NULL)
		return arena_overflow();
	if (all->count > 0)
		memcpy(items, all->items, all->count * size);
	if (some->count > 0)
		memcpy(items + all->count * size, some->items, some->count * size);
	*all = (struct codec_list){ items, all->count + some->count };
	return err_ok();
}

/* Each service is asked for as many as are wanted of all. */
static struct err collect(const struct command_call *call, struct pg *pg,
	const struct services *services, const struct store_dlq_filter *filter,
	struct codec_list *ret_letters)
{
	struct codec_list some, all = { NULL, 0 };

	for (size_t i = 0; i < services->count; i++) {
		TRY(store_dlq_list(pg, call->arena, services->names[i], filter, &some));
		TRY(append(call->arena, &all, &some, sizeof(struct store_dlq_letter)));
	}
	if (all.count > 1)
		qsort(all.items, all.count, sizeof(struct store_dlq_letter),
			filter->oldest ? by_age : by_youth);
	if (all.count > (size_t)filter->limit)
		all.count = (size_t)filter->limit;
	*ret_letters = all;
	return err_ok();
}

/* --- list, show, stats --- */

static struct err read_state(
	const struct command_call *call, const char *or_else, const char **ret_state)
{
	static const char *const states[] = { "open", "redriving", "redriven", "discarded", "any" };
	const char *state = command_value(call, "--state");

	if (state == NULL)
		state = or_else;
	for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
		if (strcmp(states[i], state) == 0) {
			*ret_state = strcmp(state, "any") == 0 ? NULL : state;
			return err_ok();
		}
	}
	return bad(call, "--state", "of open, redriving, redriven, discarded, any");
}

static struct err list(const struct command_call *call)
{
	struct pg *pg;
	struct store_dlq_filter filter;
	struct services services;
	struct codec_list letters;

	TRY(store_open(call->config->pg_owner_url, call->arena, &pg));
	TRY(read_filter(call, pg, &filter));
	TRY(read_state(call, "open", &filter.state));
	TRY(read_number(call, "--limit", DLQ_LIMIT_MAX, &filter.limit));
	TRY(find_services(call, pg, command_value(call, "--service"), &services));
	TRY(collect(call, pg, &services, &filter, &letters));
	return list_print(&store_dlq_letters, &letters, wants_json(call), stdout);
}

static struct err stats(const struct command_call *call)
{
	struct pg *pg;
	struct store_dlq_filter filter;
	struct services services;
	struct codec_list some, all = { NULL, 0 };

	TRY(store_open(call->config->pg_owner_url, call->arena, &pg));
	TRY(read_filter(call, pg, &filter));
	TRY(read_state(call, "any", &filter.state));
	TRY(find_services(call, pg, command_value(call, "--service"), &services));
	for (size_t i = 0; i < services.count; i++) {
		TRY(store_dlq_count(pg, call->arena, services.names[i], &filter, &some));
		TRY(append(call->arena, &all, &some, sizeof(struct store_dlq_stat)));
	}
	return list_print(&store_dlq_stats, &all, wants_json(call), stdout);
}

static struct err show(const struct command_call *call)
{
	struct pg *pg;
	struct store_dlq_filter filter = {
		.from_ms = CODEC_NO_INT, .to_ms = CODEC_NO_INT, .limit = 1
	};
	struct store_dlq_detail detail;
	struct services services;
	struct codec_list letters;
	bool found = false;

	if (!command_id(call->operand, &filter.id))
		return bad(call, "no UUID", call->operand);
	TRY(store_open(call->config->pg_owner_url, call->arena, &pg));
	TRY(find_services(call, pg, NULL, &services));
	TRY(collect(call, pg, &services, &filter, &letters));
	const struct store_dlq_letter *letter = letters.items;
	if (letters.count > 0)
		TRY(store_dlq_read(pg, call->arena, letter, &detail, &found));
	if (!found)
		return err_reject(ERR_CODE_NOT_FOUND, "there is no such dead letter");
	return dlq_show_print(call->arena, letter, &detail, wants_json(call), stdout);
}

/* --- decisions --- */

/* A decision about everything has to say so. */
static struct err insist_on_filter(const struct command_call *call)
{
	static const char *const filters[] = { "--service", "--tenant", "--topic", "--class",
		"--code", "--from", "--to", "--id" };

	for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
		if (command_value(call, filters[i]) != NULL)
			return err_ok();
	return bad(call, "which dead letters",
		"--id, --service, --tenant, --topic, --class, --code, --from or --to is needed");
}

struct plan {
	struct codec_list letters;
	const char *who;
	int64_t rate; /* letters a second */
	bool discard;
};

static void pause_for(size_t letters, int64_t rate)
{
	const int64_t ms = (int64_t)letters * 1000 / rate;
	struct timespec left = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&left, &left) != 0)
		;
}

/* The letters of one service that come next, at most a second's worth. */
static size_t take_chunk(const struct plan *plan, size_t from, struct id *ids)
{
	const struct store_dlq_letter *letters = plan->letters.items;
	size_t most = plan->rate < CHUNK_MAX ? (size_t)plan->rate : CHUNK_MAX, count = 0;

	for (size_t i = from; i < plan->letters.count && count < most; i++) {
		if (strcmp(letters[i].service, letters[from].service) != 0)
			break;
		if (!id_parse(str_of(letters[i].id), &ids[count++]))
			break;
	}
	return count;
}

static struct err apply(const struct command_call *call, struct pg *pg, const struct plan *plan,
	struct store_dlq_outcome *outcome)
{
	const struct outbox_conf outbox = config_outbox(call->config);
	const struct store_dlq_letter *letters = plan->letters.items;
	struct id ids[CHUNK_MAX];
	size_t count;

	for (size_t at = 0; at < plan->letters.count; at += count) {
		count = take_chunk(plan, at, ids);
		const struct store_dlq_decision decision = { letters[at].service, plan->discard,
			plan->who, ids, count };
		TRY(store_dlq_decide(pg, call->arena, &decision, &outbox, outcome));
		if (at + count < plan->letters.count)
			pause_for(count, plan->rate);
	}
	return err_ok();
}

static struct err decide(const struct command_call *call, bool discard)
{
	struct pg *pg;
	struct plan plan = { .rate = DLQ_RATE, .discard = discard };
	struct store_dlq_outcome outcome = { 0 };
	struct store_dlq_filter filter;
	struct services services;

	TRY(insist_on_filter(call));
	TRY(who_read(call, &plan.who));
	TRY(read_number(call, "--rate", DLQ_RATE_MAX, &plan.rate));
	TRY(store_open(call->config->pg_owner_url, call->arena, &pg));
	TRY(read_filter(call, pg, &filter));
	TRY(read_number(call, "--limit", DLQ_LIMIT_MAX, &filter.limit));
	filter.state = "open";
	filter.oldest = true;
	filter.redrivable = !discard && id_is_nil(filter.id);
	TRY(find_services(call, pg, command_value(call, "--service"), &services));
	TRY(collect(call, pg, &services, &filter, &plan.letters));
	if (!id_is_nil(filter.id) && plan.letters.count == 0)
		return err_reject(ERR_CODE_NOT_FOUND, "there is no open dead letter with that id");
	if (command_value(call, "--dry-run") != NULL)
		return list_print(&store_dlq_letters, &plan.letters, wants_json(call), stdout);
	TRY(apply(call, pg, &plan, &outcome));
	return list_print_one(&store_dlq_outcomes, &outcome, wants_json(call), stdout);
}

static struct err redrive(const struct command_call *call)
{
	return decide(call, false);
}

static struct err discard(const struct command_call *call)
{
	return decide(call, true);
}

/* --- the table --- */

#define FILTER                                                                                     \
	{ "--service", "NAME", false, "Only of this service; all of them when not given." },       \
		{ "--tenant", "SLUG", false, "Only of this tenant." },                             \
		{ "--topic", "TOPIC", false, "Only of this topic (its full name)." },              \
		{ "--class", "CLASS", false, "Only of this error class." },                        \
		{ "--code", "CODE", false, "Only of this error code (docs/errors.md)." },          \
		{ "--from", "TIME", false,                                                         \
			"Only given up at this time or later: RFC 3339 with a zone." },            \
		{ "--to", "TIME", false, "Only given up before this time." },                      \
	{                                                                                          \
		"--id", "ID", false, "Only this one."                                              \
	}
#define LIMIT "--limit", "N", false, "At most so many, up to 10000; 50 when not given."
#define JSON  "--json", NULL, false, "JSON instead of a table."
#define STATE "--state", "STATE", false
#define END                                                                                        \
	{                                                                                          \
		NULL, NULL, false, NULL                                                            \
	}

static const struct command_option list_options[] = {
	FILTER,
	{ STATE, "open, redriving, redriven, discarded or any; open when not given." },
	{ LIMIT },
	{ JSON },
	END,
};

static const struct command_option stats_options[] = {
	FILTER,
	{ STATE, "open, redriving, redriven, discarded or any; any when not given." },
	{ JSON },
	END,
};

static const struct command_option show_options[] = {
	{ JSON },
	END,
};

static const struct command_option decide_options[] = {
	FILTER,
	{ LIMIT },
	{ "--dry-run", NULL, false, "Lists what would be decided about, and changes nothing." },
	{ "--rate", "N", false, "Letters a second; 100 when not given." },
	{ WHO_OPTION },
	{ JSON },
	END,
};

const struct command dlq_commands[] = {
	{ "dlq", "list", NULL, list_options, CONFIG_PG, "Lists dead letters, newest first.", list },
	{ "dlq", "show", "ID", show_options, CONFIG_PG,
		"Shows one: where from, why, its headers, and how large it is; never what it says.",
		show },
	{ "dlq", "redrive", NULL, decide_options, CONFIG_KAFKA | CONFIG_PG,
		"Sends open ones, oldest first, back into the lane they came from.", redrive },
	{ "dlq", "discard", NULL, decide_options, CONFIG_KAFKA | CONFIG_PG,
		"Gives open ones up and erases what they held.", discard },
	{ "dlq", "stats", NULL, stats_options, CONFIG_PG,
		"Counts them by service, topic, class, code and state.", stats },
	{ NULL, NULL, NULL, NULL, 0, NULL, NULL },
};
