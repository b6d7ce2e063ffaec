/* reference: a service for tests, see README.md. */
#include "frame/service.h"
#include "events.h"
#include "handle.h"
#include "reference.h"

static const struct route routes[] = {
	{ .type = &events_entry_requested,
		.kind = ROUTE_TXN,
		.replay = ROUTE_REBUILD,
		.handle = handle_entry_requested },
	{ .type = &events_note_requested,
		.kind = ROUTE_TXN,
		.replay = ROUTE_REBUILD,
		.handle = handle_note_requested },
	{ .type = &events_charge_requested,
		.kind = ROUTE_WORK,
		.replay = ROUTE_REBUILD,
		.death = ROUTE_BLOCK_KEY,
		.claimed = handle_charge_claimed,
		.work = handle_charge_work,
		.failed = handle_charge_failed,
		.handle = handle_charge_requested },
	{ .type = &events_count_requested,
		.kind = ROUTE_TXN,
		.replay = ROUTE_VERIFY,
		.handle = handle_count_requested },
	{ .type = NULL },
};

static const enum topic topics[] = { TOPIC_INTAKE_EVENTS, TOPIC_COUNT };

int main(int argc, char **argv)
{
	static const struct service service = { .name = "reference",
		.routes = routes,
		.topics = topics,
		.conf = reference_conf_items,
		.conf_size = sizeof(struct reference_conf),
		.threads_of = reference_threads,
		.open = reference_open,
		.close = reference_close };

	return service_run(&service, argc, argv);
}
