#include "frame/health.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "frame/metrics.h"

struct part {
	_Atomic int state; /* 0 unknown, 1 up, 2 down */
	_Atomic int code;  /* of the last failure */
	_Atomic int64_t since_ms;
	_Atomic int64_t latency_us;
	_Atomic int64_t said_ms; /* when a line last said that it is down; 0: never */
	_Atomic bool said;	 /* and that it is up again has not been said */
};

struct health {
	struct part parts[HEALTH_PARTS];
	_Atomic int64_t tick_ms;
	struct metric *up, *outages; /* NULL: not measured */
};

enum { UNKNOWN, UP, DOWN, SAY_EVERY_MS = 10000 };

struct health *health_new(void)
{
	struct health *health = calloc(1, sizeof *health);

	for (int i = 0; health != NULL && i < HEALTH_PARTS; i++)
		health->parts[i].latency_us = -1;
	return health;
}

void health_free(struct health *health)
{
	free(health);
}

void health_measure(struct health *health, struct metrics *metrics)
{
	static const struct metrics_spec up = { METRICS_GAUGE, "esteira_dependency_up",
		"Whether a server of ours answered when it was last asked.", { "dependency" }, NULL,
		0 };
	static const struct metrics_spec outages = { METRICS_COUNTER,
		"esteira_dependency_outages_total", "Times a server of ours went away.",
		{ "dependency", "code" }, NULL, 0 };

	health->up = metrics_register(metrics, &up);
	health->outages = metrics_register(metrics, &outages);
}

static void measure(const struct health *health, enum health_part part, struct err e, bool went)
{
	const char *const labels[] = { health_part_name(part), err_code_name(e.code) };

	metrics_set(health->up, labels, went ? 0 : 1);
	if (went)
		metrics_add(health->outages, labels, 1);
}

/* A line for each outage; for what comes and goes one in SAY_EVERY_MS. */
static void say(struct part *part, const char *name, struct err e, bool failed)
{
	if (failed == part->said) /* all is well, or it has been said */
		return;
	int64_t now_ms = clock_mono_ms(), said_ms = part->said_ms;
	if (failed && (said_ms == 0 || now_ms - said_ms >= SAY_EVERY_MS)) {
		part->said_ms = now_ms;
		part->said = true;
		LOG(LOG_WARN, "dependency.down", LOG_TEXT("dependency", name), LOG_ERR(e));
	}
	if (!failed && atomic_exchange(&part->said, false))
		LOG(LOG_INFO, "dependency.up", LOG_TEXT("dependency", name),
			LOG_INT("down_ms", now_ms - said_ms));
}

void health_report(struct health *health, enum health_part part, struct err e, int64_t took_us)
{
	struct part *p = &health->parts[part];
	bool failed = e.kind != ERR_OK && err_code_class(e.code) == ERR_CLASS_DEPENDENCY;
	int state = failed ? DOWN : UP;

	if (failed)
		p->code = (int)e.code;
	else if (took_us >= 0)
		p->latency_us = took_us;
	if (atomic_exchange(&p->state, state) != state) {
		p->since_ms = clock_mono_ms();
		measure(health, part, e, failed);
	}
	say(p, health_part_name(part), e, failed);
}

enum health_part health_part_of(struct err e)
{
	static const struct {
		enum err_code code;
		enum health_part part;
	} parts[] = {
		{ ERR_CODE_POSTGRES_AWAY, HEALTH_POSTGRES },
		{ ERR_CODE_KAFKA_AWAY, HEALTH_KAFKA },
		{ ERR_CODE_KAFKA_DENIED, HEALTH_KAFKA },
		{ ERR_CODE_REDIS_AWAY, HEALTH_REDIS },
		{ ERR_CODE_STORAGE_AWAY, HEALTH_STORAGE },
		{ ERR_CODE_STORAGE_REFUSED, HEALTH_STORAGE },
		{ ERR_CODE_KEYS_AWAY, HEALTH_KEYS },
		{ ERR_CODE_KEYS_REFUSED, HEALTH_KEYS },
	};

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (err_is(e, parts[i].code))
			return parts[i].part;
	return HEALTH_PARTS;
}

const char *health_part_name(enum health_part part)
{
	static const char *const names[HEALTH_PARTS] = { "postgres", "kafka", "redis", "storage",
		"keys" };

	return names[part];
}

void health_tick(struct health *health)
{
	health->tick_ms = clock_mono_ms();
}

int64_t health_tick_age_ms(const struct health *health)
{
	int64_t tick_ms = health->tick_ms;

	return tick_ms == 0 ? 0 : clock_mono_ms() - tick_ms;
}

void health_look(const struct health *health, enum health_part part, struct health_view *ret_view)
{
	const struct part *p = &health->parts[part];
	int state = p->state;

	*ret_view = (struct health_view){
		.known = state != UNKNOWN,
		.up = state == UP,
		.latency_us = p->latency_us,
		.since_ms = state == UNKNOWN ? 0 : clock_mono_ms() - p->since_ms,
		.why = state == DOWN ? err_code_name((enum err_code)p->code) : NULL,
	};
}

bool health_all_up(const struct health *health)
{
	for (int i = 0; i < HEALTH_PARTS; i++)
		if (health->parts[i].state == DOWN)
			return false;
	return true;
}

void health_write(const struct health *health, struct buf *out)
{
	const char *sep = "";

	buf_addf(out, "{\"status\":\"%s\",\"parts\":{", health_all_up(health) ? "ok" : "degraded");
	for (int i = 0; i < HEALTH_PARTS; i++) {
		struct health_view view;

		health_look(health, (enum health_part)i, &view);
		if (!view.known)
			continue;
		buf_addf(out, "%s\"%s\":{\"status\":\"%s\"", sep,
			health_part_name((enum health_part)i), view.up ? "up" : "down");
		if (view.up && view.latency_us >= 0)
			buf_addf(out, ",\"latency_ms\":%.3f", (double)view.latency_us / 1000);
		if (!view.up)
			buf_addf(out, ",\"error\":\"%s\",\"since_s\":%lld", view.why,
				(long long)(view.since_ms / 1000));
		buf_addf(out, "}");
		sep = ",";
	}
	buf_addf(out, "}}");
}
