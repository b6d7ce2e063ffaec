#include "alive.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "frame/health.h"
#include "model/rediskey.h"
#include "port/loop.h"
#include "port/redis.h"

#include "document.h"

enum {
	TURN_MS = 1000,
	TELL_EVERY_MS = 10000,
	IDLE_MS = 20000,
	PROBE_FOR_MS = 5000,
	TIMEOUT_MS = 2000,
};

/* Times are clock_mono_ms(), 0 = never. */
struct alive {
	struct alive_conf conf;
	struct loop_timer *timer;
	char key[REDISKEY_BYTES];
	int64_t told_ms;   /* when a proof was sent and taken */
	int64_t sent_ms;   /* when it was last sent */
	int64_t probed_ms; /* when a probe began */
	pthread_t thread;  /* of the probe */
	unsigned restarts; /* of the jail, as logged */
	bool probing;
	_Atomic bool probe_ended;
	_Atomic int64_t proved_ms;
};

/* --- telling --- */

static void on_told(void *arg, struct err result, const struct redis_reply *reply)
{
	struct alive *alive = arg;
	int64_t took_us = (clock_mono_ms() - alive->sent_ms) * 1000;

	health_report(alive->conf.health, HEALTH_REDIS, result, took_us);
	if (result.kind == ERR_OK && reply->kind != REDIS_ERROR)
		alive->told_ms = alive->sent_ms;
}

static void tell(struct alive *alive, int64_t now_ms)
{
	char ttl_s[16];

	snprintf(ttl_s, sizeof ttl_s, "%d", REDISKEY_ALIVE_TTL_S);
	const struct str argv[] = { STR("SET"), str_of(alive->key), STR("1"), STR("EX"),
		str_of(ttl_s) };
	const struct redis_command command = { argv, sizeof argv / sizeof *argv, TIMEOUT_MS };
	alive->sent_ms = now_ms;
	redis_send(alive->conf.redis, &command, on_told, alive);
}

/* --- proving --- */

static void *probe_main(void *arg)
{
	struct alive *alive = arg;
	struct err e = document_probe(alive->conf.reader, clock_mono_ms() + PROBE_FOR_MS);

	if (e.kind == ERR_OK)
		alive_proved(alive);
	else if (e.kind == ERR_FATAL)
		alive->conf.fatal(alive->conf.arg, e);
	alive->probe_ended = true;
	return NULL;
}

static void probe(struct alive *alive, int64_t now_ms)
{
	alive->probed_ms = now_ms;
	alive->probe_ended = false;
	alive->probing = pthread_create(&alive->thread, NULL, probe_main, alive) == 0;
}

/* The jail's zygote died and was replaced: on whose document does not matter, that it did, does. */
static void log_restarts(struct alive *alive)
{
	unsigned restarts = document_jail_restarts(alive->conf.reader);

	if (restarts != alive->restarts)
		LOG(LOG_WARN, "ocr.jail_restarted", LOG_INT("restarts", restarts));
	alive->restarts = restarts;
}

static void on_turn(void *arg)
{
	struct alive *alive = arg;
	int64_t now_ms = clock_mono_ms(), proved_ms = alive->proved_ms;
	int64_t last_ms = proved_ms > alive->probed_ms ? proved_ms : alive->probed_ms;

	log_restarts(alive);
	if (alive->probing && alive->probe_ended) {
		pthread_join(alive->thread, NULL);
		alive->probing = false;
	}
	if (!alive->probing && (last_ms == 0 || now_ms - last_ms >= IDLE_MS))
		probe(alive, now_ms);
	if (proved_ms > alive->told_ms && now_ms - proved_ms < REDISKEY_ALIVE_TTL_S * 1000 &&
		(alive->told_ms == 0 || now_ms - alive->told_ms >= TELL_EVERY_MS))
		tell(alive, now_ms);
}

struct err alive_open(const struct alive_conf *conf, struct alive **ret_alive)
{
	struct alive *alive = calloc(1, sizeof *alive);

	if (alive == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory to start with");
	alive->conf = *conf;
	rediskey_alive(conf->instance, alive->key);
	struct err e = loop_timer_new(conf->loop, on_turn, alive, &alive->timer);
	if (e.kind != ERR_OK) {
		free(alive);
		return e;
	}
	loop_timer_start(alive->timer, 0, TURN_MS);
	*ret_alive = alive;
	return err_ok();
}

void alive_proved(struct alive *alive)
{
	alive->proved_ms = clock_mono_ms();
}

int64_t alive_age_ms(const struct alive *alive)
{
	int64_t proved_ms = alive->proved_ms;

	return proved_ms == 0 ? -1 : clock_mono_ms() - proved_ms;
}

void alive_close(struct alive *alive)
{
	if (alive == NULL)
		return;
	loop_timer_free(alive->timer);
	if (alive->probing)
		pthread_join(alive->thread, NULL);
	free(alive);
}
