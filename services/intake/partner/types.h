/*
 * The event types that partners may send, one schema in schemas/partner/ each. Adding one is its
 * schema and, in types.c, its struct, its two tables and their row; tests/contract holds schema and
 * tables together. The field table says what there is, the rules what the values must be like.
 */
#ifndef ESTEIRA_INTAKE_PARTNER_TYPES_H
#define ESTEIRA_INTAKE_PARTNER_TYPES_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "model/codec.h"

enum types_rule_kind {
	TYPES_FILLED, /* a text that is not empty */
	TYPES_WORD,   /* one of words, which are parted by spaces */
	TYPES_RANGE,  /* an integer from least to most */
	TYPES_DATE,   /* YYYY-MM-DD, a day there is */
};

/* What a field's value must be like where it is present. */
struct types_rule {
	const char *field; /* of the type's table; NULL ends a list */
	enum types_rule_kind kind;
	const char *words;
	int64_t least, most;
};

struct types_row {
	const struct codec_type *codec; /* its name is the event's type */
	const struct types_rule *rules;
};

/* NULL: partners may not send it. Any thread. */
const struct types_row *types_find(const char *type);

/*
 * data as the suite writes it: read by the table, judged by the rules, written back without what
 * the table does not know. ret_json lives in the arena. ERR_REJECT bad-record: it breaks the
 * schema, the message names the field; record-too-large: the arena is full. PURE.
 */
struct err types_rewrite(const struct types_row *row, struct str data, struct arena *arena,
	struct str *ret_json) ERR_MUST_USE;

/* Every table, ended by NULL: for the contract tests. */
const struct codec_type *const *types_all(void);

#endif
