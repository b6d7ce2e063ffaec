#include "webhook/handle.h"

#include "frame/operation.h"
#include "webhook/events.h"
#include "webhook/store.h"

static struct err tell(struct scope *scope, const struct webhook_disabled *event)
{
	char endpoint[ID_TEXT_BYTES], id[ID_TEXT_BYTES];

	id_format(event->endpoint_id, endpoint);
	id_format(scope->event->id, id);
	const struct str parts[] = { STR("webhook.disabled"), str_of(id) };
	const char *object = arena_printf(scope->arena, "webhook %s", endpoint);
	if (object == NULL)
		return arena_overflow();
	return operation_emit(scope->outbox, &(struct operation){ .id = outbox_id(parts, 2),
						     .tenant = scope->event->tenant,
						     .actor = "esteira-outreach",
						     .action = "webhook.disabled",
						     .object = object,
						     .reason = "the endpoint answered 410",
						     .occurred_at = event->occurred_at,
						     .count = CODEC_NO_INT });
}

struct err handle_endpoint_disabled(struct scope *scope, const void *payload)
{
	const struct webhook_disabled *event = payload;
	const struct webhook_ref ref = { scope->event->tenant, event->endpoint_id };
	bool done;

	TRY(webhook_store_disable(scope->pg, scope->arena, &ref, event->occurred_at, &done));
	return done ? tell(scope, event) : err_ok();
}
