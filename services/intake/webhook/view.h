/*
 * Webhooks as their tenant sees them, in JSON. PURE. An endpoint's secret is not in it; the two
 * answers that show one say so. Failures of all: those of codec_write, ERR_REJECT record-too-large.
 */
#ifndef ESTEIRA_INTAKE_WEBHOOK_VIEW_H
#define ESTEIRA_INTAKE_WEBHOOK_VIEW_H

#include "base/str.h"
#include "webhook/deliveries_store.h"
#include "webhook/store.h"

enum {
	VIEW_ENDPOINT_MAX_BYTES = 8192,
	VIEW_DELIVERY_MAX_BYTES = 2048,	 /* without its attempts */
	VIEW_ATTEMPTS_MAX_BYTES = 65536, /* of one delivery */
	VIEW_HEALTH_MAX_BYTES = 2048,	 /* of one endpoint */
	VIEW_LATE_S = 300,		 /* something waits longer: degraded */
};

/* secret NULL: none is shown. */
struct err view_endpoint(
	const struct webhook_endpoint *endpoint, const char *secret, struct buf *out) ERR_MUST_USE;

struct err view_endpoints(const struct webhook_endpoints *endpoints, struct buf *out) ERR_MUST_USE;

/* As in a list, and alone with its attempts. */
struct err view_delivery(const struct webhook_delivery *delivery, struct buf *out) ERR_MUST_USE;
struct err view_delivery_full(const struct webhook_delivery *delivery, struct buf *out)
	ERR_MUST_USE;

/* "overall" is degraded when something waits for an active endpoint longer than VIEW_LATE_S, or one
 * was disabled because it answered 410. */
struct err view_health(const struct webhook_healths *healths, struct buf *out) ERR_MUST_USE;

#endif
