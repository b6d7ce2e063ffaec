/*
 * The record that tells a partner why one of its own was refused: key, value and headers as they
 * were, and the reasons behind them. It goes to partner.SLUG.dlq, which the partner may read.
 */
#ifndef ESTEIRA_INTAKE_PARTNER_REFUSE_H
#define ESTEIRA_INTAKE_PARTNER_REFUSE_H

#include "base/arena.h"
#include "base/err.h"
#include "port/kafka.h"

/* Bytes of a record's headers that are taken; with more it is refused and they are left out of the
 * DLQ, where they might not fit. */
enum { REFUSE_HEADERS_MAX = 64 * 1024 };

size_t refuse_headers_bytes(const struct headers *headers);

struct refuse {
	const char *prefix;  /* of topics */
	const char *partner; /* its slug */
	const char *group;   /* that read the record */
	const struct kafka_record *record;
	struct err why;
};

/* Borrows from what; the rest is in the arena. A value or key that is too large stays away
 * (frame/reason.h). ERR_REJECT record-too-large: the arena is full. PURE. */
struct err refuse_record(const struct refuse *what, struct arena *arena,
	struct kafka_record *ret_record) ERR_MUST_USE;

#endif
