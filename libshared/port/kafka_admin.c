
#include "port/kafka_admin.h"

#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>

#include "port/kafka_admin_state.h"
#include "port/kafka_admin_topic.h"
#include "port/kafka_settings.h"

struct err kafka_admin_open(const struct kafka_conf *conf, struct kafka_admin **ret_admin)
{
	char why[256];
	struct kafka_admin *admin = calloc(1, sizeof *admin);
	rd_kafka_conf_t *made = kafka_settings_make(conf, false, NULL);

	if (admin == NULL || made == NULL) {
		free(admin);
		return err_fatal(ERR_CODE_BAD_CONFIG, "the Kafka settings are refused");
	}
	admin->handle = rd_kafka_new(RD_KAFKA_PRODUCER, made, why, sizeof why);
	if (admin->handle == NULL) {
		rd_kafka_conf_destroy(made);
		free(admin);
		return err_fatal(ERR_CODE_BAD_CONFIG, "the Kafka client cannot be made");
	}
	admin->queue = rd_kafka_queue_new(admin->handle);
	*ret_admin = admin;
	return err_ok();
}

void kafka_admin_close(struct kafka_admin *admin)
{
	if (admin == NULL)
		return;
	rd_kafka_queue_destroy(admin->queue);
	rd_kafka_destroy(admin->handle);
	free(admin);
}

static rd_kafka_resp_err_t result_code(rd_kafka_event_t *event)
{
	if (event == NULL)
		return RD_KAFKA_RESP_ERR__TIMED_OUT;
	rd_kafka_resp_err_t code = rd_kafka_event_error(event);
	const rd_kafka_CreateTopics_result_t *result = rd_kafka_event_CreateTopics_result(event);
	size_t count = 0;
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR && result != NULL) {
		const rd_kafka_topic_result_t **topics =
			rd_kafka_CreateTopics_result_topics(result, &count);
		if (count == 1)
			code = rd_kafka_topic_result_error(topics[0]);
	}
	rd_kafka_event_destroy(event);
	return code;
}

struct err kafka_admin_create(struct kafka_admin *admin, const struct kafka_admin_topic *topic,
	int timeout_ms, bool *ret_created)
{
	char why[256];
	rd_kafka_NewTopic_t *wanted = rd_kafka_NewTopic_new(
		topic->name, topic->partitions, topic->replicas, why, sizeof why);

	if (wanted == NULL)
		return err_fatal(ERR_CODE_BAD_CONFIG, "the topic's name or size is refused");
	for (const char *const *s = topic->settings; s != NULL && *s != NULL; s += 2)
		rd_kafka_NewTopic_set_config(wanted, s[0], s[1]);
	rd_kafka_AdminOptions_t *options =
		rd_kafka_AdminOptions_new(admin->handle, RD_KAFKA_ADMIN_OP_CREATETOPICS);
	rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, why, sizeof why);
	rd_kafka_CreateTopics(admin->handle, &wanted, 1, options, admin->queue);
	rd_kafka_resp_err_t code =
		result_code(rd_kafka_queue_poll(admin->queue, timeout_ms + KAFKA_ADMIN_GRACE_MS));
	rd_kafka_AdminOptions_destroy(options);
	rd_kafka_NewTopic_destroy(wanted);
	if (code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
		*ret_created = false;
		return err_ok();
	}
	if (code == RD_KAFKA_RESP_ERR_INVALID_PARTITIONS ||
		code == RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR ||
		code == RD_KAFKA_RESP_ERR_INVALID_CONFIG ||
		code == RD_KAFKA_RESP_ERR_POLICY_VIOLATION)
		return err_fatal(ERR_CODE_BAD_CONFIG, rd_kafka_err2str(code));
	TRY(kafka_settings_err(code));
	*ret_created = true;
	return err_ok();
}

struct err kafka_admin_partitions(
	struct kafka_admin *admin, const char *topic, int timeout_ms, int *ret_count)
{
	struct kafka_admin_topic_view view;

	TRY(kafka_admin_topic_look(admin, topic, timeout_ms, &view));
	*ret_count = (int)view.partitions;
	return err_ok();
}
