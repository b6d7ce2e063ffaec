#include "port/kafka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>

#include "port/kafka_settings.h"

struct kafka_consumer {
	struct kafka_ear ear; /* first: kafka_settings_on_error */
	rd_kafka_t *handle;
	const struct kafka_consumer_events *events;
	void *arg;
	char **topics; /* the interned names */
	size_t topic_count;
};

static const char *intern(const struct kafka_consumer *consumer, const char *topic)
{
	for (size_t i = 0; i < consumer->topic_count; i++)
		if (strcmp(consumer->topics[i], topic) == 0)
			return consumer->topics[i];
	return NULL;
}

static void place_of(const struct kafka_consumer *consumer, const rd_kafka_topic_partition_t *from,
	struct kafka_place *ret_place)
{
	*ret_place = (struct kafka_place){ .topic = intern(consumer, from->topic),
		.partition = from->partition,
		.offset = from->offset };
	if (from->metadata != NULL && from->metadata_size < KAFKA_METADATA_BYTES)
		memcpy(ret_place->metadata, from->metadata, from->metadata_size);
}

static void list_add(rd_kafka_topic_partition_list_t *list, const struct kafka_place *place)
{
	rd_kafka_topic_partition_t *item =
		rd_kafka_topic_partition_list_add(list, place->topic, place->partition);

	item->offset = place->offset;
	if (place->metadata[0] != '\0') {
		item->metadata = strdup(place->metadata); /* the list frees it */
		item->metadata_size = item->metadata == NULL ? 0 : strlen(place->metadata);
	}
}

static struct kafka_place *places_of(
	const struct kafka_consumer *consumer, const rd_kafka_topic_partition_list_t *list)
{
	struct kafka_place *places = calloc((size_t)list->cnt + 1, sizeof *places);

	for (int i = 0; places != NULL && i < list->cnt; i++)
		place_of(consumer, &list->elems[i], &places[i]);
	return places;
}

static void tell_joined(const struct kafka_consumer *consumer)
{
	const struct kafka_trouble none = { .kind = KAFKA_TROUBLE_JOINED, .about = "", .text = "" };

	if (consumer->ear.fn != NULL)
		consumer->ear.fn(consumer->ear.arg, &none);
}

static void on_rebalance(rd_kafka_t *handle, rd_kafka_resp_err_t code,
	rd_kafka_topic_partition_list_t *list, void *opaque)
{
	struct kafka_consumer *consumer = opaque;
	struct kafka_place *places = places_of(consumer, list);
	size_t count = places == NULL ? 0 : (size_t)list->cnt;

	if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
		tell_joined(consumer);
		consumer->events->assigned(consumer->arg, places, count);
		for (size_t i = 0; i < count; i++)
			list->elems[i].offset = places[i].offset;
		rd_kafka_assign(handle, list);
	} else {
		bool lost = rd_kafka_assignment_lost(handle) != 0;
		consumer->events->revoked(consumer->arg, places, count, lost);
		rd_kafka_assign(handle, NULL);
	}
	free(places);
}

/* The places that the broker did not take; all of them when it took none. */
static void on_commit(rd_kafka_t *handle, rd_kafka_resp_err_t code,
	rd_kafka_topic_partition_list_t *list, void *opaque)
{
	struct kafka_consumer *consumer = opaque;
	struct kafka_place *places;
	rd_kafka_resp_err_t why = code;
	size_t count = 0;

	(void)handle;
	if (list == NULL || consumer->events->uncommitted == NULL ||
		code == RD_KAFKA_RESP_ERR__NO_OFFSET ||
		(places = places_of(consumer, list)) == NULL)
		return;
	for (int i = 0; i < list->cnt; i++) {
		rd_kafka_resp_err_t its =
			code != RD_KAFKA_RESP_ERR_NO_ERROR ? code : list->elems[i].err;
		if (its == RD_KAFKA_RESP_ERR_NO_ERROR)
			continue;
		why = its;
		places[count++] = places[i];
	}
	if (count > 0)
		consumer->events->uncommitted(
			consumer->arg, places, count, kafka_settings_err(why));
	free(places);
}

/* Names are kept for as long as the consumer lives: somebody may still point to one. */
static bool intern_all(struct kafka_consumer *consumer, const char *const *topics, size_t count)
{
	char **grown = realloc(
		consumer->topics, (consumer->topic_count + count + 1) * sizeof *consumer->topics);

	if (grown == NULL)
		return false;
	consumer->topics = grown;
	for (size_t i = 0; i < count; i++) {
		if (intern(consumer, topics[i]) != NULL)
			continue;
		grown[consumer->topic_count] = strdup(topics[i]);
		if (grown[consumer->topic_count] == NULL)
			return false;
		consumer->topic_count++;
	}
	return true;
}

struct err kafka_consumer_subscribe(
	struct kafka_consumer *consumer, const char *const *topics, size_t topic_count)
{
	rd_kafka_topic_partition_list_t *list;

	if (!intern_all(consumer, topics, topic_count))
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for the names of topics");
	if (topic_count == 0) /* which the library takes for a mistake */
		return kafka_settings_err(rd_kafka_unsubscribe(consumer->handle));
	list = rd_kafka_topic_partition_list_new((int)topic_count);
	for (size_t i = 0; i < topic_count; i++)
		rd_kafka_topic_partition_list_add(list, topics[i], RD_KAFKA_PARTITION_UA);
	rd_kafka_resp_err_t code = rd_kafka_subscribe(consumer->handle, list);
	rd_kafka_topic_partition_list_destroy(list);
	return kafka_settings_err(code);
}

struct err kafka_consumer_open(const struct kafka_conf *conf,
	const struct kafka_subscription *subscription, const struct kafka_consumer_events *events,
	void *arg, struct kafka_consumer **ret_consumer)
{
	char why[256];
	struct kafka_consumer *consumer = calloc(1, sizeof *consumer);
	rd_kafka_conf_t *made = kafka_settings_make(conf, true, subscription->group);

	if (consumer == NULL || made == NULL) {
		if (made != NULL)
			rd_kafka_conf_destroy(made);
		kafka_consumer_close(consumer);
		return err_fatal(ERR_CODE_BAD_CONFIG, "the Kafka consumer's settings are refused");
	}
	consumer->ear = conf->ear;
	consumer->events = events;
	consumer->arg = arg;
	rd_kafka_conf_set_opaque(made, consumer);
	rd_kafka_conf_set_error_cb(made, kafka_settings_on_error);
	rd_kafka_conf_set_rebalance_cb(made, on_rebalance);
	rd_kafka_conf_set_offset_commit_cb(made, on_commit);
	consumer->handle = rd_kafka_new(RD_KAFKA_CONSUMER, made, why, sizeof why);
	if (consumer->handle == NULL) {
		rd_kafka_conf_destroy(made);
		kafka_consumer_close(consumer);
		return err_fatal(ERR_CODE_BAD_CONFIG, "the Kafka consumer cannot be made");
	}
	rd_kafka_poll_set_consumer(consumer->handle);
	struct err e =
		kafka_consumer_subscribe(consumer, subscription->topics, subscription->topic_count);
	if (e.kind != ERR_OK) {
		kafka_consumer_close(consumer);
		return e;
	}
	*ret_consumer = consumer;
	return err_ok();
}

void kafka_consumer_close(struct kafka_consumer *consumer)
{
	if (consumer == NULL)
		return;
	if (consumer->handle != NULL) {
		rd_kafka_consumer_close(consumer->handle);
		rd_kafka_destroy(consumer->handle);
	}
	for (size_t i = 0; i < consumer->topic_count; i++)
		free(consumer->topics[i]);
	free(consumer->topics);
	free(consumer);
}

static void deliver(struct kafka_consumer *consumer, const rd_kafka_message_t *message)
{
	struct kafka_record record = {
		.topic = intern(consumer, rd_kafka_topic_name(message->rkt)),
		.partition = message->partition,
		.offset = message->offset,
		.key = { message->key, message->key_len },
		.value = { message->payload, message->len },
	};

	kafka_settings_headers(message, &record.headers);
	consumer->events->record(consumer->arg, &record);
}

static void tell(const struct kafka_consumer *consumer, const rd_kafka_message_t *message)
{
	const struct kafka_trouble trouble = { .kind = KAFKA_TROUBLE_READ,
		.about = message->rkt == NULL ? "" : rd_kafka_topic_name(message->rkt),
		.text = rd_kafka_message_errstr(message) };

	kafka_settings_tell(&consumer->ear, &trouble, message->err);
}

struct err kafka_consumer_poll(struct kafka_consumer *consumer, int timeout_ms)
{
	rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer->handle, timeout_ms);
	struct err e = err_ok();

	if (message == NULL)
		return rd_kafka_fatal_error(consumer->handle, NULL, 0) == RD_KAFKA_RESP_ERR_NO_ERROR
			       ? err_ok()
			       : err_fatal(
					 ERR_CODE_KAFKA_AWAY, "the Kafka consumer failed for good");
	if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
		deliver(consumer, message);
	else if (message->err == RD_KAFKA_RESP_ERR__FATAL)
		e = err_fatal(ERR_CODE_KAFKA_AWAY, "the Kafka consumer failed for good");
	else
		tell(consumer, message);
	/* everything else (brokers down, unknown topic yet) the library retries by itself */
	rd_kafka_message_destroy(message);
	return e;
}

struct err kafka_consumer_pause(
	struct kafka_consumer *consumer, const char *topic, int32_t partition, bool paused)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

	rd_kafka_topic_partition_list_add(list, topic, partition);
	rd_kafka_resp_err_t code = paused ? rd_kafka_pause_partitions(consumer->handle, list)
					  : rd_kafka_resume_partitions(consumer->handle, list);
	rd_kafka_topic_partition_list_destroy(list);
	return kafka_settings_err(code);
}

struct err kafka_consumer_seek(struct kafka_consumer *consumer, const struct kafka_place *place)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

	list_add(list, place);
	rd_kafka_error_t *error = rd_kafka_seek_partitions(consumer->handle, list, 5000);
	rd_kafka_resp_err_t code = list->elems[0].err;
	if (error != NULL) {
		code = rd_kafka_error_code(error);
		rd_kafka_error_destroy(error);
	}
	rd_kafka_topic_partition_list_destroy(list);
	return kafka_settings_err(code);
}

struct err kafka_consumer_committed(
	struct kafka_consumer *consumer, struct kafka_place *places, size_t count, int timeout_ms)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);

	for (size_t i = 0; i < count; i++)
		rd_kafka_topic_partition_list_add(list, places[i].topic, places[i].partition);
	rd_kafka_resp_err_t code = rd_kafka_committed(consumer->handle, list, timeout_ms);
	for (size_t i = 0; code == RD_KAFKA_RESP_ERR_NO_ERROR && i < count; i++) {
		code = list->elems[i].err;
		if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
			place_of(consumer, &list->elems[i], &places[i]);
	}
	rd_kafka_topic_partition_list_destroy(list);
	return kafka_settings_err(code);
}

struct err kafka_consumer_commit(
	struct kafka_consumer *consumer, const struct kafka_place *places, size_t count, bool wait)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);

	for (size_t i = 0; i < count; i++)
		list_add(list, &places[i]);
	rd_kafka_resp_err_t code = rd_kafka_commit(consumer->handle, list, !wait);
	rd_kafka_topic_partition_list_destroy(list);
	return kafka_settings_err(code);
}

int64_t kafka_consumer_position(
	struct kafka_consumer *consumer, const char *topic, int32_t partition)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	int64_t offset = KAFKA_NO_OFFSET;

	rd_kafka_topic_partition_list_add(list, topic, partition);
	if (rd_kafka_position(consumer->handle, list) == RD_KAFKA_RESP_ERR_NO_ERROR)
		offset = list->elems[0].offset;
	rd_kafka_topic_partition_list_destroy(list);
	return offset >= 0 ? offset : KAFKA_NO_OFFSET;
}

bool kafka_consumer_watermarks(struct kafka_consumer *consumer, const char *topic,
	int32_t partition, int64_t *ret_low, int64_t *ret_high)
{
	return rd_kafka_get_watermark_offsets(consumer->handle, topic, partition, ret_low,
		       ret_high) == RD_KAFKA_RESP_ERR_NO_ERROR &&
	       *ret_high >= 0;
}

struct err kafka_consumer_ask_watermarks(struct kafka_consumer *consumer,
	const struct kafka_place *place, int timeout_ms, int64_t *ret_low, int64_t *ret_high)
{
	if (rd_kafka_query_watermark_offsets(consumer->handle, place->topic, place->partition,
		    ret_low, ret_high, timeout_ms) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return err_retry(ERR_CODE_KAFKA_AWAY, "the broker does not say where a log ends");
	return err_ok();
}

struct err kafka_consumer_cluster(struct kafka_consumer *consumer, int timeout_ms, char *ret_id)
{
	char *id = rd_kafka_clusterid(consumer->handle, timeout_ms);

	if (id == NULL)
		return err_retry(ERR_CODE_KAFKA_AWAY, "the cluster does not say its id");
	snprintf(ret_id, 64, "%s", id);
	rd_kafka_mem_free(consumer->handle, id);
	return err_ok();
}
