/*
 * The event: CloudEvents 1.0 in Kafka binary mode <-> struct event. The record's key is the
 * tenant's id and must say the same as ce_tenantid; the ordering key travels as the standard
 * extension "partitionkey". Source: CloudEvents Kafka protocol binding 1.0.2, section 3.2.
 */
#ifndef ESTEIRA_MODEL_ENVELOPE_H
#define ESTEIRA_MODEL_ENVELOPE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "model/tenant.h"

enum {
	ENVELOPE_HEADERS_MAX = 48,
	ENVELOPE_READ_MAX = 32, /* of a record; a dead letter's reasons have room behind them */
	ENVELOPE_BYTES_MAX = 256 * 1024,
};

struct header {
	const char *name;
	struct str value;
};

struct headers {
	struct header items[ENVELOPE_HEADERS_MAX];
	size_t count;
};

/* All texts end with NUL and live in the arena or the record they were read from. */
struct event {
	struct id id;		  /* ce_id: deterministic, the inbox key */
	const char *type;	  /* ce_type: <service>.<entity>.<past participle>.v<N> */
	const char *source;	  /* ce_source: "/esteira/<service>" for our own */
	struct tenant tenant;	  /* ce_tenantid and the record key */
	int64_t time_ms;	  /* ce_time */
	const char *ordering_key; /* ce_partitionkey; the tenant's id where order is per tenant */
	const char *traceparent;  /* W3C Trace Context; NULL when none */
	const char *slug;   /* ce_tenantslug: the tenant's name for people and logs; may be NULL */
	struct str payload; /* JSON */
};

/* Appends a header; false (nothing appended) when the list is full. */
bool envelope_add(struct headers *headers, const char *name, struct str value);

/* The value of a header; an empty slice with ptr NULL when there is none. */
struct str envelope_find(const struct headers *headers, const char *name);

/*
 * The headers of event in binary mode; texts in arena. dataschema is "urn:esteira:schema:" and the
 * type. ERR_REJECT record-too-large when the arena is full. Any thread.
 */
struct err envelope_write(
	const struct event *event, struct arena *arena, struct headers *ret_headers) ERR_MUST_USE;

/*
 * headers, key and value of a record as an event; texts are copied to arena, the payload is not.
 * ERR_REJECT bad-record (a missing or malformed attribute), tenant-mismatch (key and header
 * differ), record-too-large: payload over ENVELOPE_BYTES_MAX, or envelope_pack_own left headers
 * out; *ret_event is set then, without a payload, if the rest was good. Any thread.
 */
struct err envelope_read(const struct headers *headers, struct str key, struct str value,
	struct arena *arena, struct event *ret_event) ERR_MUST_USE;

/* Headers as one byte string for a bytea column and back: per header u16 name length, name, u32
 * value length, value (big-endian). envelope_unpack borrows from packed; names are copied to arena.
 */
void envelope_pack(const struct headers *headers, struct buf *out);
/* The same of a record with too many bytes of headers: those of envelope_write alone, none of them
 * longer than an attribute may be, and x-headers-left-out. */
void envelope_pack_own(const struct headers *headers, struct buf *out);
struct err envelope_unpack(struct str packed, struct arena *arena, struct headers *ret_headers)
	ERR_MUST_USE;

#endif
