#include "port/kafka.h"

#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>

#include "port/kafka_settings.h"

/* A partition being read. */
struct reading {
	const char *topic;
	int32_t partition;
	rd_kafka_topic_t *handle; /* NULL: the slot is free */
};

struct kafka_reader {
	rd_kafka_t *handle;
	struct reading readings[KAFKA_READER_MAX];
};

/* Beside the consumer's settings; with partitions polled by themselves the limits are each one's:
 * 16 MB for all. Before 2.2 a full queue rests for a second, which makes it some 3,500 records a
 * second and partition. */
static const struct {
	const char *name, *value;
	bool may_lack;
} settings[] = {
	{ "queued.max.messages.kbytes", "1024", false }, { "fetch.max.bytes", "1048576", false },
	{ "fetch.queue.backoff.ms", "20", true },  /* from 2.2 on; 1 s before */
	{ "enable.partition.eof", "true", false }, /* how a range that ends in markers ends */
};

static bool set_all(rd_kafka_conf_t *conf)
{
	char why[128];

	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
		if (rd_kafka_conf_set(conf, settings[i].name, settings[i].value, why, sizeof why) !=
				RD_KAFKA_CONF_OK &&
			!settings[i].may_lack)
			return false;
	return true;
}

struct err kafka_reader_open(const struct kafka_conf *conf, struct kafka_reader **ret_reader)
{
	char why[256];
	struct kafka_reader *reader = calloc(1, sizeof *reader);
	rd_kafka_conf_t *made = kafka_settings_make(conf, true, NULL);

	if (reader != NULL && made != NULL && set_all(made))
		reader->handle = rd_kafka_new(RD_KAFKA_CONSUMER, made, why, sizeof why);
	if (reader == NULL || reader->handle == NULL) {
		if (made != NULL)
			rd_kafka_conf_destroy(made);
		free(reader);
		return err_fatal(ERR_CODE_BAD_CONFIG, "the Kafka reader's settings are refused");
	}
	*ret_reader = reader;
	return err_ok();
}

static void stop(struct reading *reading)
{
	if (reading->handle == NULL)
		return;
	rd_kafka_consume_stop(reading->handle, reading->partition);
	rd_kafka_topic_destroy(reading->handle);
	reading->handle = NULL;
}

void kafka_reader_close(struct kafka_reader *reader)
{
	if (reader == NULL)
		return;
	for (size_t i = 0; i < KAFKA_READER_MAX; i++)
		stop(&reader->readings[i]);
	rd_kafka_destroy(reader->handle);
	free(reader);
}

static struct reading *find(struct kafka_reader *reader, const char *topic, int32_t partition)
{
	for (size_t i = 0; i < KAFKA_READER_MAX; i++)
		if (reader->readings[i].handle != NULL &&
			reader->readings[i].partition == partition &&
			strcmp(reader->readings[i].topic, topic) == 0)
			return &reader->readings[i];
	return NULL;
}

static struct reading *find_free(struct kafka_reader *reader)
{
	for (size_t i = 0; i < KAFKA_READER_MAX; i++)
		if (reader->readings[i].handle == NULL)
			return &reader->readings[i];
	return NULL;
}

struct err kafka_reader_start(struct kafka_reader *reader, const struct kafka_place *place)
{
	kafka_reader_stop(reader, place->topic, place->partition);
	struct reading *reading = find_free(reader);
	if (reading == NULL)
		return err_retry(ERR_CODE_TRY_AGAIN, "as many partitions are being read as can be");
	*reading = (struct reading){ place->topic, place->partition,
		rd_kafka_topic_new(reader->handle, place->topic, NULL) };
	if (reading->handle == NULL)
		return kafka_settings_err(rd_kafka_last_error());
	int64_t from = place->offset == KAFKA_EARLIEST ? RD_KAFKA_OFFSET_BEGINNING : place->offset;
	if (rd_kafka_consume_start(reading->handle, place->partition, from) == 0)
		return err_ok();
	struct err e = kafka_settings_err(rd_kafka_last_error());
	rd_kafka_topic_destroy(reading->handle);
	reading->handle = NULL;
	return e;
}

void kafka_reader_stop(struct kafka_reader *reader, const char *topic, int32_t partition)
{
	struct reading *reading = find(reader, topic, partition);

	if (reading != NULL)
		stop(reading);
}

static enum kafka_reader_found found_of(rd_kafka_resp_err_t code)
{
	switch (code) {
	case RD_KAFKA_RESP_ERR_NO_ERROR:
		return KAFKA_READER_RECORD;
	case RD_KAFKA_RESP_ERR__PARTITION_EOF:
		return KAFKA_READER_END;
	case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
	case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
		return KAFKA_READER_OUT_OF_RANGE;
	default:
		return KAFKA_READER_NOTHING;
	}
}

static int64_t time_of(const rd_kafka_message_t *message)
{
	rd_kafka_timestamp_type_t type;
	int64_t time_ms = rd_kafka_message_timestamp(message, &type);

	return type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE || time_ms < 0 ? 0 : time_ms;
}

enum kafka_reader_found kafka_reader_poll(struct kafka_reader *reader, const char *topic,
	int32_t partition, void (*fn)(void *arg, const struct kafka_record *record), void *arg)
{
	const struct reading *reading = find(reader, topic, partition);
	rd_kafka_message_t *message =
		reading == NULL ? NULL : rd_kafka_consume(reading->handle, partition, 0);

	rd_kafka_poll(reader->handle, 0); /* errors and statistics have nobody else to serve them */
	if (message == NULL)
		return KAFKA_READER_NOTHING;
	enum kafka_reader_found found = found_of(message->err);
	if (found == KAFKA_READER_RECORD) {
		struct kafka_record record = { .topic = reading->topic,
			.partition = partition,
			.offset = message->offset,
			.time_ms = time_of(message),
			.key = { message->key, message->key_len },
			.value = { message->payload, message->len } };
		kafka_settings_headers(message, &record.headers);
		fn(arg, &record);
	}
	rd_kafka_message_destroy(message);
	return found;
}

struct err kafka_reader_range(struct kafka_reader *reader, const struct kafka_place *place,
	int timeout_ms, int64_t *ret_low, int64_t *ret_high)
{
	return kafka_settings_err(rd_kafka_query_watermark_offsets(
		reader->handle, place->topic, place->partition, ret_low, ret_high, timeout_ms));
}

struct err kafka_reader_find_time(struct kafka_reader *reader, struct kafka_place *places,
	size_t count, int64_t time_ms, int timeout_ms)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);

	for (size_t i = 0; i < count; i++)
		rd_kafka_topic_partition_list_add(list, places[i].topic, places[i].partition)
			->offset = time_ms;
	rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(reader->handle, list, timeout_ms);
	for (size_t i = 0; code == RD_KAFKA_RESP_ERR_NO_ERROR && i < count; i++)
		code = list->elems[i].err;
	for (size_t i = 0; code == RD_KAFKA_RESP_ERR_NO_ERROR && i < count; i++)
		places[i].offset =
			list->elems[i].offset >= 0 ? list->elems[i].offset : KAFKA_NO_OFFSET;
	rd_kafka_topic_partition_list_destroy(list);
	return kafka_settings_err(code);
}
