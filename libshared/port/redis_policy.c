#include "port/redis_policy.h"

#include <stdlib.h>

#include "port/loop.h"
#include "port/redis.h"

enum { AGAIN_MS = 500, TIMEOUT_MS = 5000 };

static const struct {
	struct str name, safe;
	const char *why;
} settings[] = {
	{ { "save", 4 }, { "", 0 }, "the Redis setting save is on: results would reach the disk" },
	{ { "appendonly", 10 }, { "no", 2 },
		"the Redis setting appendonly is on: results would reach the disk" },
	{ { "maxmemory-policy", 16 }, { "noeviction", 10 },
		"the Redis setting maxmemory-policy is not noeviction: results would be lost" },
};

enum { SETTINGS = sizeof settings / sizeof *settings };

struct check {
	struct redis *redis;
	struct loop_timer *timer;
	redis_policy_fn *done;
	void *arg;
	size_t at; /* the setting that is asked for */
};

static void end(struct check *check, struct err result)
{
	redis_policy_fn *done = check->done;
	void *arg = check->arg;

	loop_timer_free(check->timer);
	free(check);
	done(arg, result);
}

/* A server that is not ready yet; any other refusal means that it does not tell. */
static bool is_passing(struct str refusal)
{
	static const struct str words[] = { { "LOADING", 7 }, { "BUSY", 4 }, { "MASTERDOWN", 10 },
		{ "TRYAGAIN", 8 } };

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (str_starts(refusal, words[i]))
			return true;
	return false;
}

static bool is_safe(const struct redis_reply *reply, size_t at)
{
	if (reply->kind != REDIS_ARRAY || reply->count != 2 || reply->items[1].kind != REDIS_TEXT)
		return true; /* it does not know this setting */
	return str_eq(reply->items[1].text, settings[at].safe);
}

static void ask(struct check *check);

static void on_reply(void *arg, struct err result, const struct redis_reply *reply)
{
	struct check *check = arg;

	if (result.kind == ERR_RETRY ||
		(result.kind == ERR_OK && reply->kind == REDIS_ERROR && is_passing(reply->text)))
		loop_timer_start(check->timer, AGAIN_MS, 0);
	else if (result.kind != ERR_OK)
		end(check, result);
	else if (reply->kind == REDIS_ERROR)
		end(check, err_ok());
	else if (!is_safe(reply, check->at))
		end(check, err_fatal(ERR_CODE_UNSAFE_STORE, settings[check->at].why));
	else if (++check->at == SETTINGS)
		end(check, err_ok());
	else
		ask(check);
}

static void ask(struct check *check)
{
	const struct str argv[] = { STR("CONFIG"), STR("GET"), settings[check->at].name };
	const struct redis_command command = { argv, sizeof argv / sizeof *argv, TIMEOUT_MS };

	redis_send(check->redis, &command, on_reply, check);
}

static void on_time(void *arg)
{
	struct check *check = arg;

	check->at = 0; /* it may be another server by now */
	ask(check);
}

struct err redis_policy_check(
	struct redis *redis, struct loop *loop, redis_policy_fn *done, void *arg)
{
	struct check *check = malloc(sizeof *check);

	if (check == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory to ask Redis");
	*check = (struct check){ .redis = redis, .done = done, .arg = arg };
	struct err e = loop_timer_new(loop, on_time, check, &check->timer);
	if (e.kind != ERR_OK) {
		free(check);
		return e;
	}
	loop_timer_start(check->timer, 0, 0);
	return err_ok();
}
