/* intake: the public HTTP port, the owner of every job's end, the purger. */
#include <stddef.h>
#include <stdlib.h>

#include "frame/service.h"
#include "intake.h"
#include "job/events.h"
#include "job/handle.h"
#include "tenant/forget.h"
#include "webhook/events.h"
#include "webhook/handle.h"

static const struct route routes[] = {
	{ .type = &events_document_started, .handle = handle_started },
	{ .type = &events_document_completed,
		.handle = handle_completed,
		.after = handle_after_end },
	{ .type = &events_document_failed, .handle = handle_failed, .after = handle_after_end },
	{ .type = &events_document_deleted, .handle = handle_deleted },
	{ .type = &webhook_endpoint_disabled, .handle = handle_endpoint_disabled },
	{ .type = NULL },
};

static const enum topic topics[] = { TOPIC_OCR_EVENTS, TOPIC_OUTREACH_EVENTS, TOPIC_COUNT };

int main(int argc, char **argv)
{
	const struct service service = {
		.name = "intake",
		.routes = routes,
		.topics = topics,
		.conf = intake_conf_items,
		.conf_size = sizeof(struct intake_conf),
		.pooler_of = intake_pooler,
		.open = intake_open,
		.drain = intake_drain,
		.stop = intake_stop,
		.close = intake_close,
		.ready = intake_ready,
		.erase = &tenant_forget,
	};

	return service_run(&service, argc, argv);
}
