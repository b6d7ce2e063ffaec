/*
 * An event as somebody outside wrote it, by Kafka or REST, in one struct whatever its form, before
 * anything of it is trusted: who sent it, for which tenant, and whether its data fits its type, the
 * caller finds out. Three forms are read:
 *   1. CloudEvents 1.0 in Kafka's binary mode: headers ce_*, the value is the data;
 *   2. CloudEvents 1.0 as one JSON object ("structured"), by Kafka or REST, or an array of them;
 *   3. {"event_id", "event_type", "timestamp", "tenant_id", "payload"}, by Kafka or REST.
 * Which one it is: a content type that begins with application/cloudevents says form 2 (ce_*
 * headers are ignored then); any ce_* header says form 1; else a member "specversion" says form 2,
 * and "event_type" form 3. Source: CloudEvents 1.0.2, its JSON format and Kafka protocol binding.
 */
#ifndef ESTEIRA_MODEL_FOREIGN_H
#define ESTEIRA_MODEL_FOREIGN_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "model/codec.h"
#include "model/envelope.h"

enum {
	FOREIGN_TEXT_MAX = 255,				/* bytes of each attribute */
	FOREIGN_BYTES_MAX = ENVELOPE_BYTES_MAX + 16384, /* one JSON text of form 2 or 3 */
	FOREIGN_ITEMS_MAX = 1000,			/* of a batch */
};

/*
 * Texts: 1 to 255 bytes of UTF-8 without control characters, in the arena, NULL when absent. data
 * is borrowed from what was read, byte by byte as it stood there but for space around it.
 */
struct foreign {
	const char *id;		 /* id, event_id; may be absent */
	const char *type;	 /* type, event_type; never absent */
	const char *source;	 /* a URI reference; may be absent, is in form 3 */
	const char *subject;	 /* subject, tenant_id: the tenant's slug; may be absent */
	int64_t time_ms;	 /* time, timestamp; CODEC_NO_INT = absent */
	const char *dataschema;	 /* a URI; may be absent */
	const char *traceparent; /* the Kafka header, else the CloudEvents extension; NULL also when
				  * empty, overlong or no text */
	const char *partitionkey; /* the ordering key; may be absent */
	struct str data;	  /* data, payload: one JSON object, never absent */
};

/*
 * A Kafka record. ERR_REJECT bad-record: no form of the three, a missing, repeated, mistyped, empty
 * or overlong attribute, specversion not "1.0", a time without zone, data that is no JSON object
 * (codec_read: UTF-8, no key twice, 16 levels counting the form's own object), data_base64, a
 * content type that is not JSON, 32 headers or more; the message names the header or field as the
 * sender wrote it. ERR_REJECT record-too-large: data over ENVELOPE_BYTES_MAX, the text over
 * FOREIGN_BYTES_MAX, or the arena is full. Other extensions and members are ignored. Any thread.
 */
struct err foreign_read_record(const struct headers *headers, struct str value, struct arena *arena,
	struct foreign *ret_foreign) ERR_MUST_USE;

/* One JSON text in form 2 or 3: the body of a request or an item of a batch. Failures as above. */
struct err foreign_read_json(struct str json, struct arena *arena, struct foreign *ret_foreign)
	ERR_MUST_USE;

/* Items as they stand in the body. */
struct foreign_items {
	const struct str *items; /* in the arena */
	size_t count;
};

/*
 * The items of a request's body: those of an array, else the body itself. Each is then read by
 * foreign_read_json with an outcome of its own; a bad one spoils no other. An empty array has no
 * items. ERR_REJECT bad-request: the array's brackets and commas do not match; body-too-large: over
 * FOREIGN_ITEMS_MAX items. How long the body may be, the caller decides. Any thread.
 */
struct err foreign_split(struct str body, struct arena *arena, struct foreign_items *ret_items)
	ERR_MUST_USE;

#endif
