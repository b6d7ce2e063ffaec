/*
 * One connection and the commands on it. A command is in `queue` (will be answered by the server,
 * in order) or in `failed` (will be answered by the timer), never in both; drop() is the one way
 * from the first to the second, on_closed() the one way to the next attempt.
 */
#include "port/redis.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "port/loop.h"
#include "port/redis_backoff.h"
#include "port/redis_greeting.h"
#include "port/redis_out.h"
#include "port/redis_queue.h"
#include "port/redis_url.h"
#include "port/redis_wire.h"
#include "port/stream.h"
#include "port/tls.h"

enum { NAME_BYTES = 64 };

enum link_state {
	LINK_DOWN,     /* no connection, or one that is being closed */
	LINK_GREETING, /* connecting, or greetings not all answered: commands wait */
	LINK_UP,
	LINK_CLOSED, /* redis_close was called */
};

struct redis_link {
	enum link_state state;
	struct stream *stream; /* NULL only when its closed() was called */
	struct redis_wire *wire;
	struct redis_out out;
	struct loop_timer *retry;
	enum redis_greeting greeting; /* whose answer comes next */
	int64_t ready_by_ms;
	int64_t backoff_ms;
	const char *why; /* it is down */
};

struct redis {
	struct loop *loop;
	struct tls *tls; /* NULL: plain */
	struct redis_url url;
	struct redis_limits limits;
	char name[NAME_BYTES];
	struct redis_link link;
	struct redis_queue queue;  /* in the order of the answers */
	struct redis_queue failed; /* answered from the timer, so never inside redis_send */
	struct loop_timer *timer;  /* of the first deadline */
	int64_t timer_due_ms;
	bool in_timer;
	atomic_uint posts; /* redis_calls on their way to the loop */
	atomic_bool up;
	_Atomic int64_t id;
};

static struct err away(const char *why)
{
	return err_retry(ERR_CODE_REDIS_AWAY, why);
}

static void free_parts(struct redis *redis)
{
	explicit_bzero(&redis->url, sizeof redis->url);
	tls_close(redis->tls);
	free(redis);
}

/* Frees what is closed as soon as nothing points to it any more. */
static void reap(struct redis *redis)
{
	bool busy = redis->in_timer || redis->link.stream != NULL || atomic_load(&redis->posts) > 0;

	if (redis->link.state != LINK_CLOSED || busy)
		return;
	free_parts(redis);
}

/* --- time --- */

static void timer_at(struct redis *redis, int64_t due_ms)
{
	int64_t now = clock_mono_ms();

	redis->timer_due_ms = due_ms;
	if (due_ms == INT64_MAX)
		loop_timer_stop(redis->timer);
	else
		loop_timer_start(redis->timer, due_ms > now ? (uint64_t)(due_ms - now) : 0, 0);
}

static void timer_before(struct redis *redis, int64_t due_ms)
{
	if (due_ms < redis->timer_due_ms)
		timer_at(redis, due_ms);
}

/* Ends the connection and fails what is under way on it; closed() comes later. */
static void drop(struct redis *redis, const char *why)
{
	redis->link.state = LINK_DOWN;
	redis->link.why = why;
	atomic_store(&redis->up, false);
	atomic_store(&redis->id, 0);
	redis_out_drop(&redis->link.out);
	redis_queue_fail_all(&redis->queue, away(why), &redis->failed);
	timer_at(redis, redis->failed.head == NULL ? INT64_MAX : 0);
	if (redis->link.stream != NULL)
		stream_close(redis->link.stream);
}

static void answer_failed(struct redis *redis)
{
	/* what the callbacks add waits for the next turn */
	struct redis_queue failed = redis->failed;
	struct redis_entry *entry;

	redis->failed = (struct redis_queue){ .count = 0 };
	while ((entry = redis_queue_take(&failed)) != NULL)
		redis_queue_answer(entry, entry->failure, NULL);
}

static void on_timer(void *arg)
{
	struct redis *redis = arg;

	redis->in_timer = true;
	redis->timer_due_ms = INT64_MAX;
	answer_failed(redis);
	redis->in_timer = false;
	if (redis->link.state == LINK_CLOSED) {
		reap(redis);
		return;
	}
	int64_t now = clock_mono_ms();
	bool late = redis_queue_deadline(&redis->queue) <= now;
	if (redis->link.state == LINK_GREETING && redis->link.ready_by_ms <= now) {
		drop(redis, "the Redis server did not greet in time");
		return;
	}
	if (redis->link.state == LINK_UP && late) {
		drop(redis, "a Redis command took longer than its timeout");
		return;
	}
	redis_queue_fail_late(
		&redis->queue, now, away("no connection to Redis in time"), &redis->failed);
	int64_t due = redis_queue_deadline(&redis->queue);
	if (redis->link.state == LINK_GREETING && redis->link.ready_by_ms < due)
		due = redis->link.ready_by_ms;
	timer_at(redis, redis->failed.head == NULL ? due : 0);
}

/* --- the connection --- */

static void write_greetings(struct redis *redis)
{
	enum redis_greeting at = redis_greeting_from(&redis->url, REDIS_GREETING_AUTH);

	redis->link.greeting = at;
	while (at < REDIS_GREETING_END && redis->link.state == LINK_GREETING) {
		char *bytes;
		size_t len;
		if (redis_greeting_format(&redis->url, redis->name, at, &bytes, &len).kind ==
			ERR_OK)
			stream_write_take(redis->link.stream, bytes, len);
		else
			drop(redis, "no memory for a Redis connection");
		at = redis_greeting_from(&redis->url, at + 1);
	}
}

static void become_up(struct redis *redis)
{
	redis->link.state = LINK_UP;
	redis->link.backoff_ms = REDIS_BACKOFF_MIN_MS;
	atomic_store(&redis->up, true);
	for (struct redis_entry *entry = redis->queue.head; entry != NULL; entry = entry->next)
		redis_out_add(&redis->link.out, redis->link.stream, entry);
	redis->queue.wire_bytes = 0;
}

/* Name and id are wanted, not needed: an ACL may refuse them. */
static void on_greeting(struct redis *redis, const struct redis_reply *reply)
{
	bool refused = reply->kind == REDIS_ERROR;

	if (refused && redis->link.greeting == REDIS_GREETING_AUTH) {
		drop(redis, "the Redis server refused user or password");
		return;
	}
	if (refused && redis->link.greeting == REDIS_GREETING_SELECT) {
		drop(redis, "the Redis server refused the database");
		return;
	}
	if (reply->kind == REDIS_INT && redis->link.greeting == REDIS_GREETING_ID)
		atomic_store(&redis->id, reply->number);
	redis->link.greeting = redis_greeting_from(&redis->url, redis->link.greeting + 1);
	if (redis->link.greeting == REDIS_GREETING_END)
		become_up(redis);
}

static void on_reply(struct redis *redis, const struct redis_reply *reply)
{
	if (redis->link.state == LINK_GREETING) {
		on_greeting(redis, reply);
		return;
	}
	struct redis_entry *entry = redis_queue_take(&redis->queue);
	if (entry == NULL)
		drop(redis, "the Redis server sent a reply nobody asked for");
	else
		redis_queue_answer(entry, err_ok(), reply);
}

static void on_data(void *arg, struct str bytes)
{
	struct redis *redis = arg;
	const struct redis_reply *reply = NULL;

	if (!redis_wire_feed(redis->link.wire, bytes)) {
		drop(redis, "a Redis reply exceeds its ceiling");
		return;
	}
	while (redis->link.state == LINK_GREETING || redis->link.state == LINK_UP) {
		if (!redis_wire_next(redis->link.wire, &reply)) {
			drop(redis, "a Redis reply is malformed or exceeds its ceiling");
			return;
		}
		if (reply == NULL)
			return;
		on_reply(redis, reply);
	}
}

static const char *reason(struct err why)
{
	if (why.code == ERR_CODE_TLS_FAILED)
		return why.msg;
	return why.code == ERR_CODE_TIMEOUT ? "the Redis server cannot be reached in time"
					    : "the connection to Redis was lost or refused";
}

static void on_closed(void *arg, struct err why)
{
	struct redis *redis = arg;

	redis->link.stream = NULL;
	redis_wire_free(redis->link.wire);
	redis->link.wire = NULL;
	if (redis->link.state == LINK_CLOSED) {
		reap(redis);
		return;
	}
	if (redis->link.state != LINK_DOWN)
		drop(redis, reason(why));
	loop_timer_start(redis->link.retry, redis_backoff_next(&redis->link.backoff_ms), 0);
}

static void connect_link(void *arg)
{
	static const struct stream_events events = { .data = on_data, .closed = on_closed };
	struct redis *redis = arg;
	struct stream_target target = { redis->url.host, redis->url.port,
		(uint64_t)redis->limits.connect_timeout_ms, redis->tls };
	struct err stale;

	if (redis->tls != NULL) /* unusable files: what was read from them before is believed on */
		(void)tls_refresh(redis->tls, &stale);
	redis_url_take_password(&redis->url, redis->limits.password);
	redis->link.wire = redis_wire_new(redis->limits.reply_max_bytes);
	struct err e = redis->link.wire == NULL ? err_fatal(ERR_CODE_OUT_OF_MEMORY, "")
						: stream_connect(redis->loop, &target, &events,
							  redis, &redis->link.stream);
	if (e.kind != ERR_OK) {
		redis_wire_free(redis->link.wire);
		redis->link.wire = NULL;
		redis->link.why = "no memory for a Redis connection";
		loop_timer_start(redis->link.retry, redis_backoff_next(&redis->link.backoff_ms), 0);
		return;
	}
	redis->link.state = LINK_GREETING;
	redis->link.ready_by_ms = clock_mono_ms() + redis->limits.connect_timeout_ms;
	timer_before(redis, redis->link.ready_by_ms);
	write_greetings(redis);
}

/* --- the door --- */

static struct redis_limits with_defaults(const struct redis_limits *limits)
{
	struct redis_limits l = limits == NULL ? (struct redis_limits){ 0 } : *limits;

	l.inflight_max = l.inflight_max == 0 ? 1024 : l.inflight_max;
	l.queued_max_bytes = l.queued_max_bytes == 0 ? 32U << 20 : l.queued_max_bytes;
	l.reply_max_bytes = l.reply_max_bytes == 0 ? 16U << 20 : l.reply_max_bytes;
	l.connect_timeout_ms = l.connect_timeout_ms <= 0 ? 2000 : l.connect_timeout_ms;
	l.name = l.name == NULL ? "esteira" : l.name;
	return l;
}

/* Servers of others speak 1.2 as well. */
static struct err open_tls(struct redis *redis)
{
	const struct tls_conf conf = { .role = TLS_CLIENT,
		.ca_file = redis->limits.ca_file,
		.from_1_2 = true,
		.handshake_ms = (uint64_t)redis->limits.connect_timeout_ms };

	return redis->url.is_tls ? tls_open(&conf, &redis->tls) : err_ok();
}

static void free_unopened(struct redis **redis)
{
	if (*redis == NULL)
		return;
	loop_timer_free((*redis)->timer);
	loop_timer_free((*redis)->link.retry);
	redis_out_close(&(*redis)->link.out);
	free_parts(*redis);
}

struct err redis_open(struct loop *loop, const char *url, const struct redis_limits *limits,
	struct redis **ret_redis)
{
	SCOPED(free_unopened) struct redis *redis = calloc(1, sizeof *redis);

	if (redis == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for a Redis client");
	TRY(redis_url_parse(url, &redis->url));
	redis->loop = loop;
	redis->limits = with_defaults(limits);
	snprintf(redis->name, sizeof redis->name, "%s", redis->limits.name);
	redis->limits.name = redis->name;
	TRY(open_tls(redis));
	redis->limits.ca_file = NULL; /* the caller's */
	redis->link.backoff_ms = REDIS_BACKOFF_MIN_MS;
	redis->timer_due_ms = INT64_MAX;
	TRY(redis_out_open(loop, &redis->link.out));
	TRY(loop_timer_new(loop, on_timer, redis, &redis->timer));
	TRY(loop_timer_new(loop, connect_link, redis, &redis->link.retry));
	connect_link(redis);
	*ret_redis = redis;
	redis = NULL;
	return err_ok();
}

void redis_close(struct redis *redis)
{
	if (redis == NULL || redis->link.state == LINK_CLOSED)
		return;
	drop(redis, "the Redis client is closed");
	redis->link.state = LINK_CLOSED;
	loop_timer_free(redis->timer);
	loop_timer_free(redis->link.retry);
	redis_out_close(&redis->link.out);
	bool nested = redis->in_timer;
	redis->in_timer = true; /* a callback must not free what is used here */
	answer_failed(redis);
	redis->in_timer = nested;
	reap(redis);
}

/* What keeps the entry from being sent; ERR_OK when nothing does. */
static struct err refusal(const struct redis *redis, const struct redis_entry *entry)
{
	size_t max = redis->limits.queued_max_bytes;
	size_t queued = redis->queue.wire_bytes;

	if (entry->wire_len > max)
		return err_reject(ERR_CODE_RECORD_TOO_LARGE, "the Redis command is too large");
	if (redis->link.state != LINK_UP && redis->link.state != LINK_GREETING)
		return away(redis->link.why);
	queued += redis->link.out.waiting.len + stream_pending_bytes(redis->link.stream);
	if (queued > max - entry->wire_len || redis->queue.count >= redis->limits.inflight_max)
		return away("too many Redis commands wait");
	return err_ok();
}

static void send_entry(struct redis *redis, struct redis_entry *entry)
{
	struct err e = refusal(redis, entry);

	if (e.kind != ERR_OK) {
		entry->failure = e;
		redis_queue_add(&redis->failed, entry);
		timer_at(redis, 0);
		return;
	}
	if (redis->link.state == LINK_UP)
		redis_out_add(&redis->link.out, redis->link.stream, entry);
	redis_queue_add(&redis->queue, entry);
	timer_before(redis, entry->deadline_ms);
}

void redis_send(
	struct redis *redis, const struct redis_command *command, redis_reply_fn *fn, void *arg)
{
	struct redis_entry *entry = NULL;

	assert(loop_is_here(redis->loop) && command->argc > 0 && command->timeout_ms > 0);
	struct err e = redis->link.state == LINK_CLOSED ? away("the Redis client is closed")
							: redis_queue_make(command, &entry);
	if (e.kind != ERR_OK) {
		fn(arg, e, NULL);
		return;
	}
	entry->fn = fn;
	entry->ear = redis->limits.ear;
	entry->arg = arg;
	send_entry(redis, entry);
}

/* --- the door for other threads --- */

struct call {
	struct redis *redis;
	const struct redis_command *command;
	struct arena *arena;
	pthread_mutex_t mutex;
	pthread_cond_t answered;
	bool done;
	struct err result;
	struct redis_reply *reply;
};

static void end_call(void *arg, struct err result, const struct redis_reply *reply)
{
	struct call *call = arg;

	pthread_mutex_lock(&call->mutex);
	call->result = result;
	if (result.kind == ERR_OK) {
		/* the caller waits, so its arena is ours for the moment */
		call->reply = redis_wire_copy(call->arena, reply);
		call->result = call->reply == NULL ? arena_overflow() : err_ok();
	}
	call->done = true;
	pthread_cond_signal(&call->answered);
	pthread_mutex_unlock(&call->mutex);
}

static void begin_call(void *arg)
{
	struct call *call = arg;
	struct redis *redis = call->redis;

	redis_send(redis, call->command, end_call, call);
	atomic_fetch_sub(&redis->posts, 1);
	reap(redis);
}

struct err redis_call(struct redis *redis, const struct redis_command *command, struct arena *arena,
	struct redis_reply **ret_reply)
{
	struct call call = { .redis = redis, .command = command, .arena = arena };

	assert(!loop_is_here(redis->loop));
	pthread_mutex_init(&call.mutex, NULL);
	pthread_cond_init(&call.answered, NULL);
	atomic_fetch_add(&redis->posts, 1);
	if (loop_post(redis->loop, begin_call, &call)) {
		pthread_mutex_lock(&call.mutex);
		while (!call.done)
			pthread_cond_wait(&call.answered, &call.mutex);
		pthread_mutex_unlock(&call.mutex);
	} else {
		atomic_fetch_sub(&redis->posts, 1);
		call.result = away("the loop has stopped");
	}
	pthread_cond_destroy(&call.answered);
	pthread_mutex_destroy(&call.mutex);
	if (call.result.kind == ERR_OK)
		*ret_reply = call.reply;
	return call.result;
}

bool redis_is_up(const struct redis *redis)
{
	return atomic_load(&redis->up);
}

int64_t redis_id(const struct redis *redis)
{
	return atomic_load(&redis->id);
}
