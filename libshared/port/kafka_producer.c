#include "port/kafka.h"

#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>

#include "base/clock.h"
#include "port/kafka_settings.h"

struct kafka_producer {
	struct kafka_ear ear; /* first: kafka_settings_on_error */
	rd_kafka_t *handle;
	rd_kafka_queue_t *reports; /* what kafka_producer_poll waits at */
	kafka_delivered_fn *delivered;
	void *arg;
};

static void on_delivery(rd_kafka_t *handle, const rd_kafka_message_t *message, void *opaque)
{
	struct kafka_producer *producer = opaque;
	const struct kafka_trouble trouble = { .kind = KAFKA_TROUBLE_WRITE,
		.about = rd_kafka_topic_name(message->rkt),
		.text = "the broker did not take a record" };

	(void)handle;
	kafka_settings_tell(&producer->ear, &trouble, message->err);
	producer->delivered(producer->arg, (uint64_t)(uintptr_t)message->_private,
		kafka_settings_err(message->err));
}

struct err kafka_producer_open(const struct kafka_conf *conf, kafka_delivered_fn *delivered,
	void *arg, struct kafka_producer **ret_producer)
{
	char why[256];
	struct kafka_producer *producer = calloc(1, sizeof *producer);
	rd_kafka_conf_t *made = kafka_settings_make(conf, false, NULL);

	if (producer == NULL || made == NULL) {
		free(producer);
		return err_fatal(ERR_CODE_BAD_CONFIG, "the Kafka producer's settings are refused");
	}
	producer->ear = conf->ear;
	producer->delivered = delivered;
	producer->arg = arg;
	rd_kafka_conf_set_opaque(made, producer);
	rd_kafka_conf_set_error_cb(made, kafka_settings_on_error);
	rd_kafka_conf_set_dr_msg_cb(made, on_delivery);
	producer->handle = rd_kafka_new(RD_KAFKA_PRODUCER, made, why, sizeof why);
	if (producer->handle == NULL) {
		rd_kafka_conf_destroy(made);
		free(producer);
		return err_fatal(ERR_CODE_BAD_CONFIG, "the Kafka producer cannot be made");
	}
	producer->reports = rd_kafka_queue_get_main(producer->handle);
	*ret_producer = producer;
	return err_ok();
}

void kafka_producer_close(struct kafka_producer *producer)
{
	if (producer == NULL)
		return;
	rd_kafka_purge(producer->handle, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
	rd_kafka_flush(producer->handle, 1000); /* serves the purged reports */
	rd_kafka_queue_destroy(producer->reports);
	rd_kafka_destroy(producer->handle);
	free(producer);
}

/* The RD_KAFKA_V_ macros are statement expressions; produceva, which is not, frees headers twice on
 * a failure before 2.12. */
#ifdef __clang__
#pragma clang diagnostic ignored "-Wgnu-statement-expression"
#endif

static rd_kafka_headers_t *make_headers(const struct headers *from)
{
	rd_kafka_headers_t *made = rd_kafka_headers_new(from->count);

	for (size_t i = 0; i < from->count; i++)
		rd_kafka_header_add(made, from->items[i].name, -1, from->items[i].value.ptr,
			(ssize_t)from->items[i].value.len);
	return made;
}

struct err kafka_producer_send(
	struct kafka_producer *producer, const struct kafka_record *record, uint64_t tag)
{
	rd_kafka_headers_t *headers = make_headers(&record->headers);
	/* librdkafka's interface takes void *, and copies */
	void *value = (void *)(uintptr_t)record->value.ptr;
	rd_kafka_resp_err_t code = rd_kafka_producev(producer->handle,
		RD_KAFKA_V_TOPIC(record->topic), RD_KAFKA_V_PARTITION(record->partition),
		RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
		RD_KAFKA_V_KEY(record->key.ptr, record->key.len),
		RD_KAFKA_V_VALUE(value, record->value.len), RD_KAFKA_V_HEADERS(headers),
		RD_KAFKA_V_OPAQUE((void *)(uintptr_t)tag), RD_KAFKA_V_END);

	/* what the topic's metadata says is told here and by no report */
	const struct kafka_trouble trouble = { .kind = KAFKA_TROUBLE_WRITE,
		.about = record->topic,
		.text = "the topic is not ours to write" };

	if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
		rd_kafka_headers_destroy(headers);
		kafka_settings_tell(&producer->ear, &trouble, code);
	}
	return kafka_settings_err(code);
}

struct err kafka_producer_poll(struct kafka_producer *producer, int timeout_ms)
{
	rd_kafka_poll(producer->handle, timeout_ms);
	if (rd_kafka_fatal_error(producer->handle, NULL, 0) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return err_fatal(ERR_CODE_KAFKA_AWAY, "the Kafka producer failed for good");
	return err_ok();
}

void kafka_producer_wake(struct kafka_producer *producer)
{
	rd_kafka_queue_yield(producer->reports);
}

/* Metadata of the topics this handle has used: few, and of none at first. The library asks a broker
 * each time; its cache is for others. */
struct err kafka_producer_ping(
	struct kafka_producer *producer, int timeout_ms, int64_t *ret_took_us)
{
	const struct rd_kafka_metadata *metadata;
	int64_t from_us = clock_mono_us();
	rd_kafka_resp_err_t code =
		rd_kafka_metadata(producer->handle, 0, NULL, &metadata, timeout_ms);

	rd_kafka_poll(producer->handle, 0); /* why, in the library's words */
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		return err_retry(ERR_CODE_KAFKA_AWAY, rd_kafka_err2str(code));
	rd_kafka_metadata_destroy(metadata);
	*ret_took_us = clock_mono_us() - from_us;
	return err_ok();
}
