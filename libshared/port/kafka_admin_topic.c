#include "port/kafka_admin_topic.h"

#include <string.h>

#include <librdkafka/rdkafka.h>

#include "port/kafka_admin_state.h"
#include "port/kafka_settings.h"

enum { SETTINGS_MS = 10000 };

static int64_t fewest_replicas(const rd_kafka_metadata_topic_t *topic)
{
	int64_t fewest = topic->partition_cnt == 0 ? 0 : topic->partitions[0].replica_cnt;

	for (int i = 1; i < topic->partition_cnt; i++)
		if (topic->partitions[i].replica_cnt < fewest)
			fewest = topic->partitions[i].replica_cnt;
	return fewest;
}

struct err kafka_admin_topic_look(struct kafka_admin *admin, const char *topic, int timeout_ms,
	struct kafka_admin_topic_view *ret_view)
{
	const struct rd_kafka_metadata *metadata;
	rd_kafka_topic_t *handle = rd_kafka_topic_new(admin->handle, topic, NULL);

	if (handle == NULL)
		return err_fatal(ERR_CODE_BAD_CONFIG, "the topic's name is refused");
	rd_kafka_resp_err_t code =
		rd_kafka_metadata(admin->handle, 0, handle, &metadata, timeout_ms);
	rd_kafka_topic_destroy(handle);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		return err_retry(ERR_CODE_KAFKA_AWAY, rd_kafka_err2str(code));
	*ret_view = (struct kafka_admin_topic_view){ 0, 0 };
	if (metadata->topic_cnt == 1)
		*ret_view = (struct kafka_admin_topic_view){ metadata->topics[0].partition_cnt,
			fewest_replicas(&metadata->topics[0]) };
	rd_kafka_metadata_destroy(metadata);
	return err_ok();
}

static void drop_event(rd_kafka_event_t **event)
{
	if (*event != NULL)
		rd_kafka_event_destroy(*event);
}

static struct err read_settings(const rd_kafka_ConfigResource_t *resource, struct arena *arena,
	struct kafka_admin_topic_setting *settings, size_t count)
{
	size_t entries = 0;
	const rd_kafka_ConfigEntry_t **entry = rd_kafka_ConfigResource_configs(resource, &entries);

	for (size_t i = 0; i < count; i++) {
		settings[i].value = NULL;
		for (size_t e = 0; e < entries; e++) {
			const char *value = rd_kafka_ConfigEntry_value(entry[e]);
			if (value == NULL ||
				strcmp(settings[i].name, rd_kafka_ConfigEntry_name(entry[e])) != 0)
				continue;
			settings[i].value = arena_strdup(arena, str_of(value));
			if (settings[i].value == NULL)
				return arena_overflow();
		}
	}
	return err_ok();
}

struct err kafka_admin_topic_settings(struct kafka_admin *admin, struct arena *arena,
	const char *topic, struct kafka_admin_topic_setting *settings, size_t count)
{
	char why[128];
	rd_kafka_event_t *event SCOPED(drop_event) = NULL;
	rd_kafka_ConfigResource_t *wanted =
		rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
	size_t found = 0;

	if (wanted == NULL)
		return err_fatal(ERR_CODE_BAD_CONFIG, "the topic's name is refused");
	rd_kafka_AdminOptions_t *options =
		rd_kafka_AdminOptions_new(admin->handle, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
	rd_kafka_AdminOptions_set_request_timeout(options, SETTINGS_MS, why, sizeof why);
	rd_kafka_DescribeConfigs(admin->handle, &wanted, 1, options, admin->queue);
	rd_kafka_AdminOptions_destroy(options);
	rd_kafka_ConfigResource_destroy(wanted);
	event = rd_kafka_queue_poll(admin->queue, SETTINGS_MS + KAFKA_ADMIN_GRACE_MS);
	TRY(kafka_settings_err(
		event == NULL ? RD_KAFKA_RESP_ERR__TIMED_OUT : rd_kafka_event_error(event)));
	const rd_kafka_ConfigResource_t **resources = rd_kafka_DescribeConfigs_result_resources(
		rd_kafka_event_DescribeConfigs_result(event), &found);
	if (found != 1)
		return kafka_settings_err(RD_KAFKA_RESP_ERR__BAD_MSG);
	TRY(kafka_settings_err(rd_kafka_ConfigResource_error(resources[0])));
	return read_settings(resources[0], arena, settings, count);
}
