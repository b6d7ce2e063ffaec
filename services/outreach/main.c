/* outreach: tells tenants what happened, by webhooks that they registered with intake. */
#include "frame/deadletter.h"
#include "frame/service.h"
#include "deliver.h"
#include "events.h"
#include "fanout.h"
#include "outreach.h"
#include "store.h"

/* An event is told once: a replay compares and sends nothing. */
#define DOCUMENT(name)                                                                             \
	{                                                                                          \
		.type = &events_document_##name, .replay = ROUTE_VERIFY, .handle = fanout_document \
	}

static const struct route routes[] = {
	DOCUMENT(completed),
	DOCUMENT(failed),
	DOCUMENT(expired),
	DOCUMENT(cancelled),
	DOCUMENT(purged),
	{ .type = &deadletter_created, .replay = ROUTE_VERIFY, .handle = fanout_deadletter },
	{ .type = &events_test_requested, .replay = ROUTE_VERIFY, .handle = fanout_test },
	{ .type = &events_resend_requested, .replay = ROUTE_VERIFY, .handle = fanout_resend },
	{ .type = &events_delivery_requested,
		.kind = ROUTE_WORK,
		.replay = ROUTE_REBUILD,
		.claimed = deliver_claimed,
		.work = deliver_work,
		.failed = deliver_failed,
		.handle = deliver_handle,
		.attempts = DECIDE_PAUSES_MAX + 1,
		.target = deliver_target,
		.target_max = DELIVER_PER_ENDPOINT },
	{ .type = NULL },
};

static const enum topic topics[] = { TOPIC_INTAKE_EVENTS, TOPIC_OUTREACH_COMMANDS, TOPIC_COUNT };

static const struct erase_plan erase = { .steps = store_erase_steps };

int main(int argc, char **argv)
{
	static const struct service service = {
		.name = "outreach",
		.routes = routes,
		.topics = topics,
		.conf = outreach_conf_items,
		.conf_size = sizeof(struct outreach_conf),
		.threads_of = outreach_threads,
		.open = outreach_open,
		.stop = outreach_stop,
		.close = outreach_close,
		.erase = &erase,
	};

	return service_run(&service, argc, argv);
}
