/*
 * Dead letters as their tenant sees them: records of his that no service could handle. He may send
 * one back or give it up. Metadata only: what the record held is nobody's to read here.
 */
#ifndef ESTEIRA_INTAKE_API_DEADLETTERS_H
#define ESTEIRA_INTAKE_API_DEADLETTERS_H

#include "api/call.h"
#include "base/str.h"

enum { DEADLETTERS_JSON_MAX_BYTES = 8192 };

struct deadletters_error {
	const char *class, *code, *message;
};

struct deadletters_times {
	int64_t first_failed_at, created_at, updated_at;
};

/* Absent values as in model/codec.h. */
struct deadletters_view {
	struct id id;
	const char *service, *topic, *state;
	struct id event_id;
	const char *ordering_key;
	struct deadletters_error error;
	int64_t attempts, redrives;
	bool blocks;
	struct deadletters_times times;
};

/* Appends the JSON object. Failures: those of codec_write. */
struct err deadletters_write(const struct deadletters_view *letter, struct buf *out) ERR_MUST_USE;

extern const struct call_route deadletters_list;
extern const struct call_route deadletters_get;
extern const struct call_route deadletters_redrive;
extern const struct call_route deadletters_discard;

#endif
