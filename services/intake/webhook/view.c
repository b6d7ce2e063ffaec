#include "webhook/view.h"

#include <string.h>

#include "port/url.h"

enum { WORD_MAX = 64, TYPE_MAX = 128 };

/* --- endpoints --- */

/* A field table has no lists of texts. */
struct err view_endpoint(
	const struct webhook_endpoint *endpoint, const char *secret, struct buf *out)
{
	char id[ID_TEXT_BYTES];

	id_format(endpoint->id, id);
	buf_addf(out, "{\"id\":\"%s\"", id);
	codec_add_text("url", endpoint->url, out);
	buf_addf(out, ",\"filters\":%s,\"ordered\":%s", endpoint->filters,
		endpoint->ordered ? "true" : "false");
	codec_add_text("description", endpoint->description, out);
	codec_add_text("state", endpoint->state, out);
	codec_add_text("disabled_reason", endpoint->disabled_reason, out);
	codec_add_text("secret", secret, out);
	codec_add_time("old_secret_until", endpoint->old_secret_until, out);
	codec_add_time("created_at", endpoint->created_at, out);
	codec_add_time("updated_at", endpoint->updated_at, out);
	buf_add_str(out, STR("}"));
	return buf_check(out);
}

struct err view_endpoints(const struct webhook_endpoints *endpoints, struct buf *out)
{
	buf_add_str(out, STR("{\"items\":["));
	for (size_t i = 0; i < endpoints->count; i++) {
		buf_add_str(out, i == 0 ? STR("") : STR(","));
		TRY(view_endpoint(&endpoints->items[i], NULL, out));
	}
	buf_add_str(out, STR("]}"));
	return buf_check(out);
}

/* --- deliveries --- */

#define A(member, kind, required, max)                                                             \
	CODEC_FIELD(struct webhook_attempt, member, CODEC_##kind, CODEC_PLAIN, required, max)
#define D(member, kind, required, max)                                                             \
	CODEC_FIELD(struct webhook_delivery, member, CODEC_##kind, CODEC_PLAIN, required, max)
#define DELIVERY                                                                                   \
	D(delivery_id, ID, true, 0), D(event_type, TEXT, true, TYPE_MAX),                          \
		D(event_id, ID, true, 0), D(state, TEXT, true, WORD_MAX),                          \
		D(attempts, INT, true, 0), D(last_status, INT, false, 0),                          \
		D(last_error, TEXT, false, WORD_MAX), D(created_at, TIME, true, 0),                \
		D(updated_at, TIME, true, 0), D(delivered_at, TIME, false, 0)

static const struct codec_field attempt_fields[] = {
	A(number, INT, true, 0),
	A(at, TIME, true, 0),
	A(status, INT, false, 0),
	A(error_code, TEXT, false, WORD_MAX),
	A(took_ms, INT, true, 0),
	CODEC_END,
};
static const struct codec_type attempt_type = { "attempt", sizeof(struct webhook_attempt),
	attempt_fields };

static const struct codec_field delivery_fields[] = { DELIVERY, CODEC_END };
static const struct codec_type delivery_type = { "delivery", sizeof(struct webhook_delivery),
	delivery_fields };

static const struct codec_field full_fields[] = {
	DELIVERY,
	CODEC_SUB(struct webhook_delivery, attempt_list, CODEC_LIST, true,
		DELIVERIES_STORE_ATTEMPTS_MAX, &attempt_type),
	CODEC_END,
};
static const struct codec_type full_type = { "delivery", sizeof(struct webhook_delivery),
	full_fields };

struct err view_delivery(const struct webhook_delivery *delivery, struct buf *out)
{
	return codec_write(&delivery_type, delivery, CODEC_TO_CLIENT, out);
}

struct err view_delivery_full(const struct webhook_delivery *delivery, struct buf *out)
{
	return codec_write(&full_type, delivery, CODEC_TO_CLIENT, out);
}

/* --- health --- */

struct health {
	struct id id;
	const char *url_host, *state;
	int64_t pending, oldest_pending_seconds, delivered_24h, failed_attempts_24h;
	int64_t last_delivered_at, last_failed_at;
};

#define H(member, kind, required)                                                                  \
	CODEC_FIELD(struct health, member, CODEC_##kind, CODEC_PLAIN, required, 0)

static const struct codec_field health_fields[] = {
	H(id, ID, true),
	H(url_host, TEXT, true),
	H(state, TEXT, true),
	H(pending, INT, true),
	H(oldest_pending_seconds, INT, false),
	H(delivered_24h, INT, true),
	H(failed_attempts_24h, INT, true),
	H(last_delivered_at, TIME, false),
	H(last_failed_at, TIME, false),
	CODEC_END,
};
static const struct codec_type health_type = { "health", sizeof(struct health), health_fields };

static bool is_ill(const struct webhook_health *health)
{
	if (strcmp(health->state, "active") == 0)
		return health->pending > 0 && health->oldest_pending_s > VIEW_LATE_S;
	return health->disabled_reason != NULL && strcmp(health->disabled_reason, "gone") == 0;
}

static struct err add_health(const struct webhook_health *health, struct buf *out)
{
	struct url url = { .host = "" };

	/* it was taken by these rules, or by stricter ones */
	if (url_parse(str_of(health->url), true, &url).kind != ERR_OK)
		url.host[0] = '\0';
	const struct health view = { .id = health->id,
		.url_host = url.host,
		.state = health->state,
		.pending = health->pending,
		.oldest_pending_seconds = health->oldest_pending_s,
		.delivered_24h = health->delivered_24h,
		.failed_attempts_24h = health->failed_attempts_24h,
		.last_delivered_at = health->last_delivered_at,
		.last_failed_at = health->last_failed_at };
	return codec_write(&health_type, &view, CODEC_TO_CLIENT, out);
}

struct err view_health(const struct webhook_healths *healths, struct buf *out)
{
	bool ill = false;

	for (size_t i = 0; i < healths->count; i++)
		ill |= is_ill(&healths->items[i]);
	buf_addf(out, "{\"overall\":\"%s\",\"webhooks\":[", ill ? "degraded" : "ok");
	for (size_t i = 0; i < healths->count; i++) {
		buf_add_str(out, i == 0 ? STR("") : STR(","));
		TRY(add_health(&healths->items[i], out));
	}
	buf_add_str(out, STR("]}"));
	return buf_check(out);
}
