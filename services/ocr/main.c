/* ocr: reads the documents of ocr.jobs in a jail, and says on ocr.events what came of it. */
#include "events.h"
#include "frame/service.h"
#include "handle.h"
#include "ocr.h"

static const struct route routes[] = {
	{ .type = &events_document_received,
		.kind = ROUTE_WORK,
		.replay = ROUTE_SOURCE_GONE,
		.claimed = handle_claimed,
		.work = handle_work,
		.handle = handle_received,
		.after = handle_after,
		.settle = handle_settle },
	{ .type = NULL },
};

static const enum topic topics[] = { TOPIC_OCR_JOBS, TOPIC_COUNT };

int main(int argc, char **argv)
{
	const struct service service = {
		.name = "ocr",
		.routes = routes,
		.topics = topics,
		.conf = ocr_conf_items,
		.conf_size = sizeof(struct ocr_conf),
		.threads_of = ocr_threads,
		.prepare = ocr_prepare,
		.open = ocr_open,
		.close = ocr_close,
		.ready = ocr_ready,
	};

	return service_run(&service, argc, argv);
}
