/*
 * JSON <-> struct by a table of fields, and the only file of the tree that knows the JSON library.
 * A table says for every field its data class; what a sink may not carry is refused here and not in
 * a review. Unknown members are ignored when reading (the writer may be newer), unless the reader
 * says otherwise, and impossible when writing.
 */
#ifndef ESTEIRA_MODEL_CODEC_H
#define ESTEIRA_MODEL_CODEC_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#include <stddef.h>

/* The C type behind each kind, and what stands for "absent". */
enum codec_kind {
	CODEC_TEXT,   /* const char *, NULL */
	CODEC_INT,    /* int64_t, CODEC_NO_INT */
	CODEC_REAL,   /* double, NAN; never for money */
	CODEC_BOOL,   /* bool, always present when written */
	CODEC_ID,     /* struct id, nil */
	CODEC_TIME,   /* int64_t milliseconds since 1970, CODEC_NO_INT; RFC 3339 in JSON */
	CODEC_OBJECT, /* the struct of .item in place, always written */
	CODEC_LIST,   /* struct codec_list of .item, always written */
};

#define CODEC_NO_INT INT64_MIN

/* Where a value may go (design: every schema field has a data class). */
enum codec_class {
	CODEC_PLAIN,
	CODEC_PERSONAL,
	CODEC_CAPABILITY,
	CODEC_CONTENT,
};

struct codec_list {
	void *items; /* count structs of the item type, in the arena */
	size_t count;
};

struct codec_field {
	const char *name;
	enum codec_kind kind;
	enum codec_class class;
	bool required;
	size_t offset;
	size_t max; /* bytes of a text, items of a list */
	const struct codec_type *item;
};

struct codec_type {
	const char *name;		  /* of the schema file, e.g. "ocr.document.completed.v1" */
	size_t size;			  /* of the C struct */
	const struct codec_field *fields; /* ends with name NULL */
};

/* A row of a table: CODEC_FIELD(struct job, pages, CODEC_INT, CODEC_PLAIN, true, 0). */
#define CODEC_FIELD(type, member, kind, class, required, max)                                      \
	{                                                                                          \
#member, (kind), (class), (required), offsetof(type, member), (max), NULL          \
	}
#define CODEC_SUB(type, member, kind, required, max, item)                                         \
	{                                                                                          \
#member, (kind), CODEC_PLAIN, (required), offsetof(type, member), (max), (item)    \
	}
#define CODEC_END                                                                                  \
	{                                                                                          \
		NULL, CODEC_TEXT, CODEC_PLAIN, false, 0, 0, NULL                                   \
	}

/* What a sink may carry. */
enum codec_sink {
	CODEC_TO_TOPIC,	 /* plain */
	CODEC_TO_JOBS,	 /* plain and capability: ocr.jobs alone */
	CODEC_TO_CLIENT, /* plain and personal: REST, under the tenant's key */
	CODEC_TO_SEALED, /* everything: encrypted before it leaves the process */
};

/*
 * Appends the JSON object of value (a struct of type) to out. Absent optional fields are left out.
 * ERR_FATAL internal: a required field is absent, a text is not UTF-8 or over its max, or a present
 * field's class may not go to sink - all our bugs. ERR_REJECT record-too-large: out is full. Any
 * thread.
 */
struct err codec_write(const struct codec_type *type, const void *value, enum codec_sink sink,
	struct buf *out) ERR_MUST_USE;

/*
 * Reads one JSON object into ret_value (type->size bytes); texts and lists land in arena.
 * ERR_REJECT bad-record: not JSON (RFC 8259), duplicate keys, deeper than 16, a missing required or
 * mistyped field, a text over its max or with NUL; the message names the field. Any thread.
 */
struct err codec_read(const struct codec_type *type, struct str json, struct arena *arena,
	void *ret_value) ERR_MUST_USE;

/*
 * The same for a request that somebody typed: an unknown member of the outermost object is
 * ERR_REJECT bad-parameter, the message names it. also: one more member that is known, read by the
 * caller; NULL: none.
 */
struct err codec_read_exactly(const struct codec_type *type, const char *also, struct str json,
	struct arena *arena, void *ret_value) ERR_MUST_USE;

/* Sets every field of value to "absent". */
void codec_clear(const struct codec_type *type, void *value);

/* Appends text as a JSON string with its quotes. For the few places that write JSON without a
 * struct. */
void codec_quote(struct str text, struct buf *out);

/* Appends a member behind another: a comma, the name (plain, not escaped) and the value. Nothing
 * when text is NULL, or wall_ms CODEC_NO_INT. */
void codec_add_text(const char *name, const char *text, struct buf *out);
void codec_add_time(const char *name, int64_t wall_ms, struct buf *out);

#endif
