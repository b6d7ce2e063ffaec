/*
 * audit: keeps what happened. It reads audit.trail and adds a row per event; nobody, it included,
 * can change one afterwards.
 */
#include "frame/erase.h"
#include "frame/service.h"
#include "events.h"
#include "handle.h"

static const struct route routes[] = {
	{ .type = &events_entry_recorded,
		.kind = ROUTE_TXN,
		.replay = ROUTE_REBUILD,
		.handle = handle_entry_recorded },
	{ .type = &events_operation_recorded,
		.kind = ROUTE_TXN,
		.replay = ROUTE_REBUILD,
		.handle = handle_operation_recorded },
	{ .type = NULL },
};

static const enum topic topics[] = { TOPIC_AUDIT_TRAIL, TOPIC_COUNT };

/* The trail outlives its tenants: it says who was erased, when and by whom. */
static const struct erase_plan erase = { .outlives = true };

int main(int argc, char **argv)
{
	static const struct service service = {
		.name = "audit", .routes = routes, .topics = topics, .erase = &erase
	};

	return service_run(&service, argc, argv);
}
