#include "frame/kafka_watch.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "port/kafka.h"

enum {
	DENIALS_MAX = 32,
	WRITE_MS = 10000,   /* the relay tries again far sooner */
	CONNECT_MS = 40000, /* the library keeps an error that it has told to itself for 30 s */
	TRY_MS = 5000,
	TRY_WAIT_MS = 2000,
	TRY_TURN_MS = 20,
};

struct denial {
	enum kafka_trouble_kind kind;
	char about[KAFKA_TOPIC_BYTES];
	enum err_code code;
	int64_t last_ms;
};

struct kafka_watch {
	const struct kafka_conf *conf;
	pthread_mutex_t lock; /* of the denials */
	struct denial denials[DENIALS_MAX];
	size_t count;
	int64_t tried_ms;
};

static const char *operation_of(enum kafka_trouble_kind kind)
{
	static const char *const names[] = { "read", "write", "group", "connect", "" };

	return names[kind];
}

struct kafka_watch *kafka_watch_new(const struct kafka_conf *conf)
{
	struct kafka_watch *watch = calloc(1, sizeof *watch);

	if (watch == NULL)
		return NULL;
	watch->conf = conf;
	pthread_mutex_init(&watch->lock, NULL);
	return watch;
}

void kafka_watch_free(struct kafka_watch *watch)
{
	if (watch == NULL)
		return;
	pthread_mutex_destroy(&watch->lock);
	free(watch);
}

static struct denial *find(
	struct kafka_watch *watch, enum kafka_trouble_kind kind, const char *about)
{
	for (size_t i = 0; i < watch->count; i++)
		if (watch->denials[i].kind == kind && strcmp(watch->denials[i].about, about) == 0)
			return &watch->denials[i];
	return NULL;
}

static void drop(struct kafka_watch *watch, struct denial *denial)
{
	LOG(LOG_INFO, "kafka.allowed", LOG_TEXT("operation", operation_of(denial->kind)),
		LOG_TEXT("name", denial->about));
	*denial = watch->denials[--watch->count];
}

static void drop_kind(struct kafka_watch *watch, enum kafka_trouble_kind kind)
{
	for (size_t i = watch->count; i > 0; i--)
		if (watch->denials[i - 1].kind == kind)
			drop(watch, &watch->denials[i - 1]);
}

static void add(struct kafka_watch *watch, const struct kafka_trouble *trouble)
{
	struct denial *denial = find(watch, trouble->kind, trouble->about);

	if (denial == NULL && watch->count < DENIALS_MAX) {
		denial = &watch->denials[watch->count++];
		*denial = (struct denial){ .kind = trouble->kind };
		snprintf(denial->about, sizeof denial->about, "%s", trouble->about);
		LOG(LOG_ERROR, "kafka.denied", LOG_TEXT("operation", operation_of(trouble->kind)),
			LOG_TEXT("name", trouble->about), LOG_ERR(trouble->e),
			LOG_TEXT("why", trouble->text));
	}
	if (denial == NULL)
		return;
	denial->code = trouble->e.code;
	denial->last_ms = clock_mono_ms();
}

void kafka_watch_note(void *arg, const struct kafka_trouble *trouble)
{
	struct kafka_watch *watch = arg;

	pthread_mutex_lock(&watch->lock);
	if (trouble->kind == KAFKA_TROUBLE_JOINED)
		drop_kind(watch, KAFKA_TROUBLE_GROUP);
	else
		add(watch, trouble);
	pthread_mutex_unlock(&watch->lock);
}

/* --- the end of a denial --- */

static void ignore(void *arg, const struct kafka_record *record)
{
	(void)arg;
	(void)record;
}

/* By a handle of its own: the consumer's tells a denial once, and not that it has ended. */
static bool can_read(const struct kafka_conf *conf, const char *topic)
{
	const struct kafka_place end = { .topic = topic, .offset = KAFKA_LATEST };
	struct kafka_reader *reader;
	enum kafka_reader_found found = KAFKA_READER_NOTHING;
	int64_t until_ms = clock_mono_ms() + TRY_WAIT_MS;

	if (kafka_reader_open(conf, &reader).kind != ERR_OK)
		return false;
	struct err e = kafka_reader_start(reader, &end);
	while (e.kind == ERR_OK && found == KAFKA_READER_NOTHING && clock_mono_ms() < until_ms) {
		usleep(TRY_TURN_MS * 1000);
		found = kafka_reader_poll(reader, topic, 0, ignore, NULL);
	}
	kafka_reader_close(reader);
	return found != KAFKA_READER_NOTHING;
}

static void drop_old(struct kafka_watch *watch, int64_t now_ms)
{
	for (size_t i = watch->count; i > 0; i--) {
		struct denial *denial = &watch->denials[i - 1];
		int64_t age_ms = now_ms - denial->last_ms;
		if ((denial->kind == KAFKA_TROUBLE_WRITE && age_ms > WRITE_MS) ||
			(denial->kind == KAFKA_TROUBLE_CONNECT && age_ms > CONNECT_MS))
			drop(watch, denial);
	}
}

/* The topic that was not tried for the longest; false: there is none. */
static bool next_topic(struct kafka_watch *watch, char *ret_topic)
{
	struct denial *next = NULL;

	for (size_t i = 0; i < watch->count; i++) {
		struct denial *denial = &watch->denials[i];
		if (denial->kind == KAFKA_TROUBLE_READ &&
			(next == NULL || denial->last_ms < next->last_ms))
			next = denial;
	}
	if (next == NULL)
		return false;
	next->last_ms = clock_mono_ms();
	memcpy(ret_topic, next->about, KAFKA_TOPIC_BYTES);
	return true;
}

static void try_topic(struct kafka_watch *watch, const char *topic)
{
	if (!can_read(watch->conf, topic))
		return;
	pthread_mutex_lock(&watch->lock);
	struct denial *denial = find(watch, KAFKA_TROUBLE_READ, topic);
	if (denial != NULL)
		drop(watch, denial);
	pthread_mutex_unlock(&watch->lock);
}

struct err kafka_watch_look(struct kafka_watch *watch)
{
	char topic[KAFKA_TOPIC_BYTES];
	int64_t now_ms = clock_mono_ms();
	bool denied = false;

	pthread_mutex_lock(&watch->lock);
	drop_old(watch, now_ms);
	bool is_due = now_ms - watch->tried_ms >= TRY_MS && next_topic(watch, topic);
	for (size_t i = 0; i < watch->count; i++)
		denied = denied || watch->denials[i].code == ERR_CODE_KAFKA_DENIED;
	pthread_mutex_unlock(&watch->lock);
	if (is_due) {
		try_topic(watch, topic);
		watch->tried_ms = clock_mono_ms();
	}
	return denied ? err_retry(ERR_CODE_KAFKA_DENIED, err_code_title(ERR_CODE_KAFKA_DENIED))
		      : err_ok();
}
