#include "port/kafka_admin_group.h"

#include <unistd.h>

#include <librdkafka/rdkafka.h>

#include "base/clock.h"
#include "port/kafka_admin_state.h"
#include "port/kafka_settings.h"

enum { TIMEOUT_MS = 10000, AGAIN_MS = 100 };

static void drop_event(rd_kafka_event_t **event)
{
	if (*event != NULL)
		rd_kafka_event_destroy(*event);
}

static void drop_options(rd_kafka_AdminOptions_t **options)
{
	rd_kafka_AdminOptions_destroy(*options);
}

static rd_kafka_AdminOptions_t *options_of(
	const struct kafka_admin *admin, rd_kafka_admin_op_t operation)
{
	char why[128];
	rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(admin->handle, operation);

	rd_kafka_AdminOptions_set_request_timeout(options, TIMEOUT_MS, why, sizeof why);
	return options;
}

static rd_kafka_event_t *await(const struct kafka_admin *admin)
{
	return rd_kafka_queue_poll(admin->queue, TIMEOUT_MS + KAFKA_ADMIN_GRACE_MS);
}

static rd_kafka_resp_err_t code_of(rd_kafka_event_t *event)
{
	return event == NULL ? RD_KAFKA_RESP_ERR__TIMED_OUT : rd_kafka_event_error(event);
}

/* A coordinator that is elected, or loads what it coordinates (with the first group of a cluster
 * its topic is made), is there in a moment; the library does not ask again by itself. */
static bool moves(rd_kafka_resp_err_t code)
{
	return code == RD_KAFKA_RESP_ERR_NOT_COORDINATOR ||
	       code == RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE ||
	       code == RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS;
}

static struct err look_once(struct kafka_admin *admin, const char *group,
	struct kafka_admin_group_view *ret_view, bool *ret_moves)
{
	rd_kafka_event_t *event SCOPED(drop_event) = NULL;
	rd_kafka_AdminOptions_t *options SCOPED(drop_options) =
		options_of(admin, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS);
	size_t count = 0;

	rd_kafka_DescribeConsumerGroups(admin->handle, &group, 1, options, admin->queue);
	event = await(admin);
	rd_kafka_resp_err_t code = code_of(event);
	*ret_moves = moves(code);
	TRY(kafka_settings_err(code));
	const rd_kafka_ConsumerGroupDescription_t **groups =
		rd_kafka_DescribeConsumerGroups_result_groups(
			rd_kafka_event_DescribeConsumerGroups_result(event), &count);
	if (count != 1)
		return kafka_settings_err(RD_KAFKA_RESP_ERR__BAD_MSG);
	code = rd_kafka_error_code(rd_kafka_ConsumerGroupDescription_error(groups[0]));
	*ret_moves = moves(code);
	TRY(kafka_settings_err(code));
	*ret_view = (struct kafka_admin_group_view){
		.state = rd_kafka_consumer_group_state_name(
			rd_kafka_ConsumerGroupDescription_state(groups[0])),
		.members = (int64_t)rd_kafka_ConsumerGroupDescription_member_count(groups[0]),
	};
	return err_ok();
}

struct err kafka_admin_group_look(
	struct kafka_admin *admin, const char *group, struct kafka_admin_group_view *ret_view)
{
	int64_t until_ms = clock_mono_ms() + TIMEOUT_MS;

	for (;;) {
		bool again = false;
		struct err e = look_once(admin, group, ret_view, &again);
		if (!again || clock_mono_ms() > until_ms)
			return e;
		usleep(AGAIN_MS * 1000);
	}
}

static struct err copy_places(const rd_kafka_topic_partition_list_t *list, struct arena *arena,
	struct kafka_place **ret_places, size_t *ret_count)
{
	struct kafka_place *places = arena_alloc(arena, (size_t)list->cnt * sizeof *places + 1);
	size_t count = 0;

	if (places == NULL)
		return arena_overflow();
	for (int i = 0; i < list->cnt; i++) {
		const rd_kafka_topic_partition_t *from = &list->elems[i];
		if (from->err != RD_KAFKA_RESP_ERR_NO_ERROR || from->offset < 0)
			continue;
		places[count] =
			(struct kafka_place){ .topic = arena_strdup(arena, str_of(from->topic)),
				.partition = from->partition,
				.offset = from->offset };
		if (places[count++].topic == NULL)
			return arena_overflow();
	}
	*ret_places = places;
	*ret_count = count;
	return err_ok();
}

struct err kafka_admin_group_committed(struct kafka_admin *admin, struct arena *arena,
	const char *group, struct kafka_place **ret_places, size_t *ret_count)
{
	rd_kafka_event_t *event SCOPED(drop_event) = NULL;
	rd_kafka_AdminOptions_t *options SCOPED(drop_options) =
		options_of(admin, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);
	rd_kafka_ListConsumerGroupOffsets_t *wanted =
		rd_kafka_ListConsumerGroupOffsets_new(group, NULL);
	size_t count = 0;

	rd_kafka_ListConsumerGroupOffsets(admin->handle, &wanted, 1, options, admin->queue);
	rd_kafka_ListConsumerGroupOffsets_destroy(wanted);
	event = await(admin);
	TRY(kafka_settings_err(code_of(event)));
	const rd_kafka_group_result_t **groups = rd_kafka_ListConsumerGroupOffsets_result_groups(
		rd_kafka_event_ListConsumerGroupOffsets_result(event), &count);
	if (count != 1)
		return kafka_settings_err(RD_KAFKA_RESP_ERR__BAD_MSG);
	const rd_kafka_error_t *error = rd_kafka_group_result_error(groups[0]);
	if (error != NULL)
		return kafka_settings_err(rd_kafka_error_code(error));
	return copy_places(
		rd_kafka_group_result_partitions(groups[0]), arena, ret_places, ret_count);
}
