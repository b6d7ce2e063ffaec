#include "api/tail.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "port/loop.h"
#include "port/redis.h"

enum {
	FIXED_WORDS = 6, /* XREAD COUNT n BLOCK ms STREAMS */
	BLOCK_MS = 1000,
	ANSWER_MS = BLOCK_MS + 4000,
	RETRY_MS = 250,
	UNBLOCK_AGAIN_MS = 5,
	MANY = 64, /* watches from which reads are spaced, so that each brings more */
	SPACING_MS = 10,
};

struct tail {
	struct redis *redis, *blocking;
	struct loop_timer *timer; /* the next read, or the next try to break one off */
	struct tail_watch *first;
	size_t count;
	bool reading;	 /* an XREAD is under way */
	bool stale;	 /* ... and knows not all watches */
	bool unblocking; /* a CLIENT UNBLOCK is under way */
	bool closed;
};

/* --- ids and entries --- */

bool tail_id_parse(struct str text, struct tail_id *ret_id)
{
	struct str rest = { NULL, 0 };
	struct str ms = str_cut(text, '-', &rest);
	struct tail_id id;

	if (!str_to_u64(ms, &id.ms) || !str_to_u64(rest, &id.seq))
		return false;
	*ret_id = id;
	return true;
}

void tail_id_format(struct tail_id id, char *ret_text)
{
	snprintf(ret_text, TAIL_ID_BYTES, "%" PRIu64 "-%" PRIu64, id.ms, id.seq);
}

bool tail_id_after(struct tail_id id, struct tail_id other)
{
	return id.ms > other.ms || (id.ms == other.ms && id.seq > other.seq);
}

static bool is_event_name(struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((text.ptr[i] < 'a' || text.ptr[i] > 'z') && text.ptr[i] != '_')
			return false;
	return text.len > 0 && text.len <= 32;
}

/* What a line of an event stream can carry. */
static bool is_line(struct str text)
{
	return text.len == 0 || (memchr(text.ptr, '\n', text.len) == NULL &&
					memchr(text.ptr, '\r', text.len) == NULL);
}

bool tail_entry_read(const struct redis_reply *reply, struct tail_entry *ret_entry)
{
	struct tail_entry entry = { .event = STR("") };

	if (reply->kind != REDIS_ARRAY || reply->count != 2 ||
		reply->items[1].kind != REDIS_ARRAY ||
		!tail_id_parse(reply->items[0].text, &entry.id))
		return false;
	const struct redis_reply *words = &reply->items[1];
	for (size_t i = 0; i + 1 < words->count; i += 2) {
		if (str_eq(words->items[i].text, STR("event")))
			entry.event = words->items[i + 1].text;
		if (str_eq(words->items[i].text, STR("data")))
			entry.data = words->items[i + 1].text;
	}
	if (!is_event_name(entry.event) || !is_line(entry.data))
		return false;
	*ret_entry = entry;
	return true;
}

/* --- answers --- */

static void offer(struct tail *tail, struct str key, const struct tail_entry *entry)
{
	struct tail_watch *next;

	for (struct tail_watch *watch = tail->first; watch != NULL; watch = next) {
		next = watch->next;
		if (!str_eq(key, str_of(watch->key)) || !tail_id_after(entry->id, watch->last))
			continue;
		watch->last = entry->id;
		watch->entry(watch, entry);
	}
}

static void offer_stream(struct tail *tail, const struct redis_reply *stream)
{
	struct tail_entry entry;

	if (stream->kind != REDIS_ARRAY || stream->count != 2)
		return;
	const struct redis_reply *entries = &stream->items[1];
	for (size_t i = 0; i < entries->count; i++)
		if (tail_entry_read(&entries->items[i], &entry))
			offer(tail, stream->items[0].text, &entry);
}

/* --- reading --- */

static void free_when_silent(struct tail *tail)
{
	if (!tail->closed || tail->reading || tail->unblocking)
		return;
	free(tail);
}

static void on_read(void *arg, struct err result, const struct redis_reply *reply);

static void send_read(struct tail *tail, struct str *argv, char (*ids)[TAIL_ID_BYTES])
{
	const struct str fixed[FIXED_WORDS] = { STR("XREAD"), STR("COUNT"), STR("100"),
		STR("BLOCK"), STR("1000"), STR("STREAMS") };
	const struct redis_command command = { argv, FIXED_WORDS + 2 * tail->count, ANSWER_MS };
	size_t i = 0;

	memcpy(argv, fixed, sizeof fixed);
	for (struct tail_watch *watch = tail->first; watch != NULL; watch = watch->next, i++) {
		tail_id_format(watch->last, ids[i]);
		argv[FIXED_WORDS + i] = str_of(watch->key);
		argv[FIXED_WORDS + tail->count + i] = str_of(ids[i]);
	}
	tail->reading = true;
	tail->stale = false;
	redis_send(tail->blocking, &command, on_read, tail);
}

static void read_next(struct tail *tail)
{
	if (tail->count == 0 || tail->reading || tail->closed)
		return;
	struct str *argv = calloc(FIXED_WORDS + 2 * tail->count, sizeof *argv);
	char(*ids)[TAIL_ID_BYTES] = calloc(tail->count, sizeof *ids);
	if (argv != NULL && ids != NULL)
		send_read(tail, argv, ids);
	else
		loop_timer_start(tail->timer, RETRY_MS, 0);
	free(argv);
	free(ids);
}

static void on_read(void *arg, struct err result, const struct redis_reply *reply)
{
	struct tail *tail = arg;
	bool failed = result.kind != ERR_OK || reply->kind == REDIS_ERROR;

	tail->reading = false;
	if (tail->closed) {
		free_when_silent(tail);
		return;
	}
	if (!failed && reply->kind == REDIS_ARRAY)
		for (size_t i = 0; i < reply->count; i++)
			offer_stream(tail, &reply->items[i]);
	if (failed)
		loop_timer_start(tail->timer, RETRY_MS, 0);
	else if (tail->count > MANY)
		loop_timer_start(tail->timer, SPACING_MS, 0);
	else
		read_next(tail);
}

/* --- breaking off --- */

static void on_unblocked(void *arg, struct err result, const struct redis_reply *reply)
{
	struct tail *tail = arg;

	tail->unblocking = false;
	if (tail->closed) {
		free_when_silent(tail);
		return;
	}
	/* it may have overtaken the read on its way to the server */
	bool missed = result.kind == ERR_OK && reply->kind == REDIS_INT && reply->number == 0;
	if (missed && tail->reading && tail->stale)
		loop_timer_start(tail->timer, UNBLOCK_AGAIN_MS, 0);
}

/* Without an answer the read ends by itself within a second. */
static void unblock(struct tail *tail)
{
	int64_t client = redis_id(tail->blocking);
	char text[24];

	if (client == 0 || tail->unblocking)
		return;
	snprintf(text, sizeof text, "%" PRId64, client);
	const struct str argv[] = { STR("CLIENT"), STR("UNBLOCK"), str_of(text) };
	const struct redis_command command = { argv, 3, ANSWER_MS };
	tail->unblocking = true;
	redis_send(tail->redis, &command, on_unblocked, tail);
}

static void on_timer(void *arg)
{
	struct tail *tail = arg;

	if (!tail->reading)
		read_next(tail);
	else if (tail->stale)
		unblock(tail);
}

/* --- watches --- */

void tail_add(struct tail *tail, struct tail_watch *watch)
{
	watch->next = tail->first;
	tail->first = watch;
	tail->count++;
	tail->stale = true;
	/* 0: several connections of one turn of the loop share one read */
	loop_timer_start(tail->timer, 0, 0);
}

void tail_remove(struct tail *tail, struct tail_watch *watch)
{
	struct tail_watch **at = &tail->first;

	while (*at != NULL && *at != watch)
		at = &(*at)->next;
	if (*at == NULL)
		return;
	*at = watch->next;
	tail->count--;
}

struct err tail_open(
	struct loop *loop, struct redis *redis, struct redis *blocking, struct tail **ret_tail)
{
	struct tail *tail = calloc(1, sizeof *tail);

	if (tail == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory to start with");
	tail->redis = redis;
	tail->blocking = blocking;
	struct err e = loop_timer_new(loop, on_timer, tail, &tail->timer);
	if (e.kind == ERR_OK)
		*ret_tail = tail;
	else
		free(tail);
	return e;
}

void tail_close(struct tail *tail)
{
	if (tail == NULL)
		return;
	loop_timer_free(tail->timer);
	tail->timer = NULL;
	tail->closed = true;
	free_when_silent(tail);
}
