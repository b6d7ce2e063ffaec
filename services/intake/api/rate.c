#include "api/rate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "frame/metrics.h"
#include "frame/metrics_wire.h"
#include "intake.h"
#include "model/rediskey.h"
#include "port/digest.h"
#include "port/redis.h"

enum {
	INFLIGHT_MAX = 16384,
	SCRIPT_WORDS = 6,
	NUMBER_BYTES = 24,
	REPLY_NUMBERS = 4,
	WINDOW_MS = WINDOW_S * 1000,
	BESIDE_MS = WINDOW_MS + 1000, /* a second counts until it is wholly old */
};

/* The list holds when each request passed, microseconds, oldest first. What is too old is taken off
 * a few at a time; whether one passes is asked of the entry that has to be too old for it, so that
 * the answer is exact whatever is still to be taken off. A clock that was set back by more than the
 * window begins anew. Each call costs Redis about a microsecond, so there are few. */
static const char script[] =
	"local key, limit, window = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])\n"
	"local time = redis.call('TIME')\n"
	"local now = time[1] * 1000000 + time[2]\n"
	"local oldest = tonumber(redis.call('LINDEX', key, 0) or now)\n"
	"if oldest > now then redis.call('DEL', key) oldest = now end\n"
	"for i = 1, 64 do\n"
	"  if oldest > now - window then break end\n"
	"  redis.call('LPOP', key)\n"
	"  oldest = tonumber(redis.call('LINDEX', key, 0) or now)\n"
	"end\n"
	"local count, passed, wait, bar = redis.call('RPUSH', key, now), 1, 0, 0\n"
	"if count > limit then\n"
	"  bar = tonumber(redis.call('LINDEX', key, count - limit - 1))\n"
	"  if bar > now - window then\n"
	"    redis.call('RPOP', key)\n"
	"    passed, count = 0, count - 1\n"
	"  end\n"
	"end\n"
	"if passed == 1 then redis.call('PEXPIRE', key, math.ceil(window / 1000)) end\n"
	"if count >= limit then\n"
	"  bar = tonumber(redis.call('LINDEX', key, count - limit))\n"
	"  wait = math.max(0, math.ceil((bar + window - now) / 1000))\n"
	"end\n"
	"local reset = math.max(0, math.ceil((oldest + window - now) / 1000))\n"
	"return { passed, math.max(0, limit - count), wait, reset }\n";

struct rate {
	struct redis *redis;
	struct window *window;
	struct metric *decisions;
	int64_t timeout_ms;
	int64_t redis_id;	 /* of the connection that was last asked over; 0 = none */
	int64_t beside_until_ms; /* until then this process counts beside Redis */
	char sha[DIGEST_SHA1_HEX_BYTES];
};

/* A question that Redis has. */
struct rate_flight {
	struct rate *rate;
	struct rate_ask *ask; /* NULL: nobody waits for it any more */
	struct rate_of of;
	bool whole; /* the script itself was sent */
	bool taken; /* counted here before it was sent, with this verdict */
	struct window_verdict here;
	int64_t taken_ms;
};

/* --- names and texts --- */

static const char *const names[RATE_CLASSES] = { "none", "extract", "status", "default", "keys" };

const char *rate_class_name(enum rate_class class)
{
	return names[class];
}

static const char *key_of(const struct rate_of *of)
{
	return of->class == RATE_DEFAULT ? "" : of->lineage;
}

static void window_key(const struct rate_of *of, uint8_t *ret_key)
{
	const char *key = key_of(of);

	memset(ret_key, 0, WINDOW_KEY_BYTES);
	ret_key[0] = (uint8_t)of->class;
	memcpy(ret_key + 1, &of->tenant.id, sizeof of->tenant.id);
	memcpy(ret_key + 1 + sizeof of->tenant.id, key, strlen(key));
	_Static_assert(1 + sizeof of->tenant.id + RATE_KEY_ID_BYTES <= WINDOW_KEY_BYTES, "it fits");
}

static int64_t seconds_of(int64_t ms)
{
	return (ms + 999) / 1000;
}

void rate_write_fields(const struct rate_of *of, const struct window_verdict *verdict,
	char *ret_policy, char *ret_limit)
{
	const char *name = rate_class_name(of->class);

	snprintf(ret_policy, RATE_FIELD_BYTES, "\"%s\";q=%lld;w=%d", name, (long long)of->limit,
		WINDOW_S);
	snprintf(ret_limit, RATE_FIELD_BYTES, "\"%s\";r=%lld;t=%lld", name,
		(long long)verdict->left, (long long)seconds_of(verdict->reset_ms));
}

unsigned rate_retry_after_s(const struct window_verdict *verdict)
{
	int64_t seconds = seconds_of(verdict->wait_ms);

	return seconds < 1 ? 1 : (unsigned)seconds;
}

bool rate_read_reply(const struct redis_reply *reply, int64_t limit, struct window_verdict *ret)
{
	static const int64_t wait_max_ms = WINDOW_MS + 1000; /* the clock may stand still a bit */

	if (reply->kind != REDIS_ARRAY || reply->count != REPLY_NUMBERS)
		return false;
	for (size_t i = 0; i < REPLY_NUMBERS; i++)
		if (reply->items[i].kind != REDIS_INT || reply->items[i].number < 0)
			return false;
	const struct window_verdict verdict = { reply->items[0].number == 1, reply->items[1].number,
		reply->items[2].number, reply->items[3].number };
	if (reply->items[0].number > 1 || verdict.left > limit || verdict.wait_ms > wait_max_ms ||
		verdict.reset_ms > wait_max_ms || (!verdict.passed && verdict.left > 0))
		return false;
	*ret = verdict;
	return true;
}

/* --- decisions --- */

/* Both let it pass, or one does not: what is left is the lesser, what is to wait the longer. */
static void narrow(struct window_verdict *verdict, const struct window_verdict *other)
{
	if (other->left < verdict->left)
		verdict->left = other->left;
	if (other->wait_ms > verdict->wait_ms)
		verdict->wait_ms = other->wait_ms;
	if (other->reset_ms > verdict->reset_ms)
		verdict->reset_ms = other->reset_ms;
}

static void decide(struct rate *rate, struct rate_ask *ask, const char *where,
	const struct window_verdict *verdict)
{
	const char *const labels[] = { where, verdict->passed ? "passed" : "refused" };

	metrics_add(rate->decisions, labels, 1);
	ask->done(ask, verdict);
}

static void decide_here(struct rate *rate, struct rate_ask *ask)
{
	uint8_t key[WINDOW_KEY_BYTES];

	window_key(&ask->of, key);
	const struct window_verdict verdict =
		window_take(rate->window, key, ask->of.limit, clock_mono_ms());
	decide(rate, ask, "local", &verdict);
}

/* What passed there counts here as well, should Redis go away in the next minute. */
static void decide_there(struct rate *rate, const struct rate_flight *flight, struct rate_ask *ask,
	struct window_verdict *verdict)
{
	int64_t now_ms = clock_mono_ms();
	uint8_t key[WINDOW_KEY_BYTES];

	window_key(&ask->of, key);
	if (!flight->taken && verdict->passed)
		window_note(rate->window, key, now_ms);
	if (flight->taken && !verdict->passed)
		window_return(rate->window, key, flight->taken_ms, now_ms);
	if (flight->taken)
		narrow(verdict, &flight->here);
	decide(rate, ask, "redis", verdict);
}

/* What Redis knows of the last minute is not all that passed. */
static void note_away(struct rate *rate)
{
	rate->beside_until_ms = clock_mono_ms() + BESIDE_MS;
}

/* reply NULL: there is none. */
static void settle(
	struct rate_flight *flight, struct rate_ask *ask, const struct redis_reply *reply)
{
	struct window_verdict verdict;

	if (reply == NULL)
		note_away(flight->rate);
	if (reply != NULL && rate_read_reply(reply, ask->of.limit, &verdict))
		decide_there(flight->rate, flight, ask, &verdict);
	else if (flight->taken)
		decide(flight->rate, ask, "local", &flight->here);
	else
		decide_here(flight->rate, ask);
}

static void send(struct rate_flight *flight);

static void on_reply(void *arg, struct err result, const struct redis_reply *reply)
{
	struct rate_flight *flight = arg;
	struct rate_ask *ask = flight->ask;
	bool answered = result.kind == ERR_OK;

	if (answered && ask != NULL && !flight->whole && reply->kind == REDIS_ERROR &&
		str_starts(reply->text, STR("NOSCRIPT"))) {
		flight->whole = true;
		send(flight);
		return;
	}
	if (ask != NULL) {
		ask->flight = NULL;
		settle(flight, ask, answered ? reply : NULL);
	}
	free(flight);
}

static void send(struct rate_flight *flight)
{
	struct rate *rate = flight->rate;
	const struct rate_of *of = &flight->of;
	char key[REDISKEY_BYTES], limit[NUMBER_BYTES], window[NUMBER_BYTES];

	rediskey_rate(rate_class_name(of->class), of->tenant, key_of(of), key);
	snprintf(limit, sizeof limit, "%lld", (long long)of->limit);
	snprintf(window, sizeof window, "%d000000", WINDOW_S);
	const struct str argv[SCRIPT_WORDS] = {
		flight->whole ? STR("EVAL") : STR("EVALSHA"),
		str_of(flight->whole ? script : rate->sha),
		STR("1"),
		str_of(key),
		str_of(limit),
		str_of(window),
	};
	redis_send(rate->redis, &(struct redis_command){ argv, SCRIPT_WORDS, rate->timeout_ms },
		on_reply, flight);
}

/* What passed here while Redis was away is not known there, and one that was started anew knows of
 * nothing: for a minute both have to let one pass. It is counted here first, so that of many at
 * once no more are sent than may pass. False: refused, and answered. */
static bool take_beside(struct rate *rate, struct rate_flight *flight)
{
	int64_t now_ms = clock_mono_ms(), id = redis_id(rate->redis);
	uint8_t key[WINDOW_KEY_BYTES];

	if (rate->redis_id != 0 && id != rate->redis_id)
		note_away(rate);
	rate->redis_id = id;
	if (now_ms >= rate->beside_until_ms)
		return true;
	window_key(&flight->of, key);
	flight->taken = true;
	flight->taken_ms = now_ms;
	flight->here = window_take(rate->window, key, flight->of.limit, now_ms);
	if (!flight->here.passed)
		decide(rate, flight->ask, "local", &flight->here);
	return flight->here.passed;
}

void rate_ask(struct rate *rate, struct rate_ask *ask)
{
	struct rate_flight *flight = redis_is_up(rate->redis) ? calloc(1, sizeof *flight) : NULL;

	if (flight == NULL) {
		note_away(rate);
		decide_here(rate, ask);
		return;
	}
	*flight = (struct rate_flight){ .rate = rate, .ask = ask, .of = ask->of };
	if (!take_beside(rate, flight)) {
		free(flight);
		return;
	}
	ask->flight = flight;
	send(flight);
}

void rate_leave(struct rate_ask *ask)
{
	if (ask->flight == NULL)
		return;
	ask->flight->ask = NULL;
	ask->flight = NULL;
}

/* --- opening and closing --- */

struct err rate_open(const struct rate_conf *conf, struct rate **ret_rate)
{
	static const struct metrics_spec spec = { METRICS_COUNTER, "esteira_rate_decisions_total",
		"Requests under a rate limit, by who counted (redis, or local while that is away) "
		"and what was said.",
		{ "by", "outcome" }, NULL, 0 };
	const struct redis_limits limits = { .inflight_max = INFLIGHT_MAX,
		.name = "esteira-intake-rate",
		.ca_file = conf->intake->wires.redis_ca_file,
		.password = conf->intake->wires.redis_password,
		.ear = metrics_wire_redis(conf->metrics) };
	struct rate *rate = calloc(1, sizeof *rate);

	if (rate == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory to start with");
	*ret_rate = rate;
	rate->timeout_ms = conf->intake->limits.rate_redis_ms;
	rate->decisions = metrics_register(conf->metrics, &spec);
	digest_sha1_hex(str_of(script), rate->sha);
	rate->window = window_new();
	if (rate->window == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory to start with");
	return redis_open(conf->loop, conf->intake->redis_url, &limits, &rate->redis);
}

void rate_close(struct rate *rate)
{
	if (rate == NULL)
		return;
	redis_close(rate->redis);
	window_free(rate->window);
	free(rate);
}
