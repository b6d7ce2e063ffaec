#include "api/routes.h"

#include <stddef.h>

#include "api/deadletters.h"
#include "api/events.h"
#include "api/events_batch.h"
#include "api/events_state.h"
#include "api/front.h"
#include "api/jobs.h"
#include "api/keys.h"
#include "api/openapi.h"
#include "api/result.h"
#include "api/sse.h"
#include "api/status.h"
#include "api/trail.h"
#include "api/upload.h"
#include "api/webhooks.h"
#include "api/webhooks_deliveries.h"
#include "webhook/wish.h"

/* A row is not complete without a scope and a class of rate limit, or the word OPEN. */
#define GATE(scope, class, call)                                                                   \
	&(const struct front_gate)                                                                 \
	{                                                                                          \
		API_KEYS_##scope, RATE_##class, call                                               \
	}
#define OPEN                                                                                       \
	&(const struct front_gate)                                                                 \
	{                                                                                          \
		0, RATE_NONE, NULL                                                                 \
	}
#define ASKS(method, pattern, scope, class, call)                                                  \
	{                                                                                          \
		method, pattern, call_handle, WEB_BODY_NONE, 0, GATE(scope, class, call)           \
	}
#define TAKES(method, pattern, max_bytes, scope, class, call)                                      \
	{                                                                                          \
		method, pattern, call_handle, WEB_BODY_BUFFERED, max_bytes,                        \
			GATE(scope, class, call)                                                   \
	}
#define TAKES_JSON(method, pattern, max_bytes, scope, class, call)                                 \
	{                                                                                          \
		method, pattern, call_handle, WEB_BODY_BUFFERED, max_bytes,                        \
			GATE(scope, class, call), JSON                                             \
	}
#define JSON	    "application/json"
#define EVENTS_JSON JSON ", application/cloudevents+json, application/cloudevents-batch+json"
#define PDFS	    "application/pdf, multipart/form-data"

enum { BARE = WEBHOOKS_BARE_MAX_BYTES, WISH = WISH_BODY_MAX_BYTES };

const struct web_route routes_all[] = {
	{ "POST", "/v1/extract", upload_handle, WEB_BODY_STREAM, 0,
		GATE(EXTRACT, EXTRACT, &upload_route), PDFS },
	ASKS("GET", "/v1/jobs", STATUS, STATUS, &jobs_list),
	ASKS("GET", "/v1/jobs/{id}", STATUS, STATUS, &jobs_get),
	ASKS("DELETE", "/v1/jobs/{id}", EXTRACT, DEFAULT, &jobs_delete),
	ASKS("GET", "/v1/jobs/{id}/events", STATUS, STATUS, &sse_get),
	ASKS("GET", "/v1/jobs/{id}/result", STATUS, STATUS, &result_get),
	ASKS("GET", "/v1/audit", AUDIT, DEFAULT, &trail_get),
	ASKS("GET", "/v1/dead-letters", OPERATE, DEFAULT, &deadletters_list),
	ASKS("GET", "/v1/dead-letters/{id}", OPERATE, DEFAULT, &deadletters_get),
	ASKS("POST", "/v1/dead-letters/{id}/redrive", OPERATE, DEFAULT, &deadletters_redrive),
	ASKS("POST", "/v1/dead-letters/{id}/discard", OPERATE, DEFAULT, &deadletters_discard),
	{ "POST", "/v1/events", events_post, WEB_BODY_STREAM, EVENTS_BATCH_BYTES,
		GATE(EVENTS, DEFAULT, NULL), EVENTS_JSON },
	ASKS("GET", "/v1/events/{id}", EVENTS, DEFAULT, &events_state_get),
	ASKS("GET", "/v1/webhooks", WEBHOOKS, DEFAULT, &webhooks_list),
	TAKES_JSON("POST", "/v1/webhooks", WISH, WEBHOOKS, DEFAULT, &webhooks_create),
	ASKS("GET", "/v1/webhooks/{id}", WEBHOOKS, DEFAULT, &webhooks_get),
	TAKES_JSON("PATCH", "/v1/webhooks/{id}", WISH, WEBHOOKS, DEFAULT, &webhooks_change),
	TAKES("DELETE", "/v1/webhooks/{id}", BARE, WEBHOOKS, DEFAULT, &webhooks_delete),
	TAKES("POST", "/v1/webhooks/{id}/rotate", BARE, WEBHOOKS, DEFAULT, &webhooks_rotate),
	TAKES("POST", "/v1/webhooks/{id}/test", BARE, WEBHOOKS, DEFAULT, &webhooks_test),
	TAKES_JSON("POST", "/v1/webhooks/{id}/resend", WISH, WEBHOOKS, DEFAULT,
		&webhooks_deliveries_resend_all),
	ASKS("GET", "/v1/webhooks/{id}/deliveries", WEBHOOKS, DEFAULT, &webhooks_deliveries_list),
	ASKS("GET", "/v1/webhooks/{id}/deliveries/{delivery_id}", WEBHOOKS, DEFAULT,
		&webhooks_deliveries_get),
	TAKES("POST", "/v1/webhooks/{id}/deliveries/{delivery_id}/resend", BARE, WEBHOOKS, DEFAULT,
		&webhooks_deliveries_resend),
	ASKS("GET", "/v1/health/integrations", STATUS, STATUS, &webhooks_deliveries_health),
	ASKS("GET", "/v1/keys", ADMIN, KEYS, &keys_list),
	TAKES_JSON("POST", "/v1/keys", KEYS_BODY_MAX_BYTES, ADMIN, KEYS, &keys_create),
	TAKES_JSON("POST", "/v1/keys/{id}/rotate", KEYS_BODY_MAX_BYTES, ADMIN, KEYS, &keys_rotate),
	ASKS("DELETE", "/v1/keys/{id}", ADMIN, KEYS, &keys_revoke),
	{ "GET", "/v1/health", status_get, WEB_BODY_NONE, 0, OPEN },
	{ "GET", "/v1/openapi.json", openapi_get, WEB_BODY_NONE, 0, OPEN },
	{ "GET", "/docs", openapi_docs, WEB_BODY_NONE, 0, OPEN },
	{ NULL, NULL, NULL, WEB_BODY_NONE, 0, NULL },
};
