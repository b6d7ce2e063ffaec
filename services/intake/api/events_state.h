/*
 * GET /v1/events/{id}: what became of an event. Redis knows for a while that it was accepted, the
 * services' inboxes know who has handled it, their dead letters who could not. Another tenant's
 * event and one that never was are the same 404.
 */
#ifndef ESTEIRA_INTAKE_API_EVENTS_STATE_H
#define ESTEIRA_INTAKE_API_EVENTS_STATE_H

#include "api/call.h"
#include "model/codec.h"

enum { EVENTS_STATE_JSON_MAX_BYTES = 4096 };

struct events_state_view {
	struct id id;
	const char *state; /* accepted, handled, dead */
	struct codec_list handled_by;
	struct id dead_letter; /* nil = none */
};

/* Appends the JSON object. Failures: those of codec_write. */
struct err events_state_write(const struct events_state_view *view, struct buf *out) ERR_MUST_USE;

extern const struct call_route events_state_get;

#endif
