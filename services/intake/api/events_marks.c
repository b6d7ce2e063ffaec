#include "api/events_marks.h"

#include <stdio.h>
#include <stdlib.h>

#include "intake.h"
#include "model/rediskey.h"
#include "port/loop.h"
#include "port/redis.h"

enum { KEYS_MAX = 256, FIXED_WORDS = 3, TIMEOUT_MS = 5000 };

struct events_marks {
	struct redis *redis;
	struct loop_timer *timer; /* the end of this turn of the loop */
	size_t count;
	char keys[KEYS_MAX][REDISKEY_BYTES];
};

static void on_noted(void *arg, struct err result, const struct redis_reply *reply)
{
	(void)arg;
	(void)result;
	(void)reply;
}

/* SET takes one key, MSET no time to live. */
static void flush(struct events_marks *marks)
{
	static const char script[] =
		"for _, key in ipairs(KEYS) do redis.call('SET', key, '1', 'EX', 900) end";
	struct str argv[FIXED_WORDS + KEYS_MAX];
	char count[12];

	_Static_assert(REDISKEY_EVENT_TTL_S == 900, "it stands in the script");
	snprintf(count, sizeof count, "%zu", marks->count);
	argv[0] = STR("EVAL");
	argv[1] = str_of(script);
	argv[2] = str_of(count);
	for (size_t i = 0; i < marks->count; i++)
		argv[FIXED_WORDS + i] = str_of(marks->keys[i]);
	const struct redis_command command = { argv, FIXED_WORDS + marks->count, TIMEOUT_MS };
	marks->count = 0;
	redis_send(marks->redis, &command, on_noted, NULL);
}

static void on_timer(void *arg)
{
	struct events_marks *marks = arg;

	if (marks->count > 0)
		flush(marks);
}

void events_marks_add(struct events_marks *marks, struct tenant tenant, struct id event)
{
	rediskey_event(tenant, event, marks->keys[marks->count++]);
	if (marks->count == KEYS_MAX)
		flush(marks);
	else if (marks->count == 1)
		loop_timer_start(marks->timer, 0, 0);
}

struct err events_marks_open(
	struct loop *loop, const struct intake_conf *conf, struct events_marks **ret_marks)
{
	const struct redis_limits limits = { .name = "esteira-intake-events",
		.ca_file = conf->wires.redis_ca_file,
		.password = conf->wires.redis_password };
	struct events_marks *marks = calloc(1, sizeof *marks);

	if (marks == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory to start with");
	*ret_marks = marks; /* also after a failure: events_marks_close ends what was opened */
	TRY(loop_timer_new(loop, on_timer, marks, &marks->timer));
	return redis_open(loop, conf->redis_url, &limits, &marks->redis);
}

void events_marks_close(struct events_marks *marks)
{
	if (marks == NULL)
		return;
	loop_timer_free(marks->timer);
	redis_close(marks->redis);
	free(marks);
}

struct redis *events_marks_redis(const struct events_marks *marks)
{
	return marks->redis;
}
