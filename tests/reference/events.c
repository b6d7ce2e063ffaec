#include "events.h"

enum { TEXT_MAX = 255 };

#define TEXT(type, member, required)                                                               \
	CODEC_FIELD(struct type, member, CODEC_TEXT, CODEC_PLAIN, required, TEXT_MAX)
#define NUMBER(type, member) CODEC_FIELD(struct type, member, CODEC_INT, CODEC_PLAIN, true, 0)
#define TYPE(name, type, fields)                                                                   \
	{                                                                                          \
		name, sizeof(struct type), fields                                                  \
	}

static const struct codec_field entry_fields[] = {
	TEXT(events_entry, key, true),
	NUMBER(events_entry, n),
	TEXT(events_entry, behave, false),
	CODEC_END,
};
static const struct codec_field entry_made_fields[] = {
	TEXT(events_entry_made, key, true),
	NUMBER(events_entry_made, n),
	CODEC_END,
};
static const struct codec_field charge_fields[] = {
	TEXT(events_charge, charge, true),
	TEXT(events_charge, account, true),
	NUMBER(events_charge, amount_cents),
	TEXT(events_charge, behave, false),
	CODEC_END,
};
static const struct codec_field charge_settled_fields[] = {
	TEXT(events_charge_settled, charge, true),
	TEXT(events_charge_settled, state, true),
	TEXT(events_charge_settled, reference, false),
	CODEC_END,
};
static const struct codec_field count_fields[] = {
	TEXT(events_count, name, true),
	NUMBER(events_count, n),
	TEXT(events_count, behave, false),
	CODEC_END,
};
static const struct codec_field count_made_fields[] = {
	TEXT(events_count_made, name, true),
	NUMBER(events_count_made, n),
	CODEC_END,
};
static const struct codec_field order_fields[] = {
	TEXT(events_order, charge, true),
	NUMBER(events_order, amount_cents),
	CODEC_END,
};
static const struct codec_field receipt_fields[] = {
	TEXT(events_receipt, reference, false),
	TEXT(events_receipt, state, true),
	CODEC_END,
};

const struct codec_type events_entry_requested =
	TYPE("reference.entry.requested.v1", events_entry, entry_fields);
const struct codec_type events_entry_was_made =
	TYPE("reference.entry.made.v1", events_entry_made, entry_made_fields);
const struct codec_type events_note_requested =
	TYPE("reference.note.requested.v1", events_entry, entry_fields);
const struct codec_type events_charge_requested =
	TYPE("reference.charge.requested.v1", events_charge, charge_fields);
const struct codec_type events_charge_was_settled =
	TYPE("reference.charge.settled.v1", events_charge_settled, charge_settled_fields);
const struct codec_type events_count_requested =
	TYPE("reference.count.requested.v1", events_count, count_fields);
const struct codec_type events_count_was_made =
	TYPE("reference.count.made.v1", events_count_made, count_made_fields);
const struct codec_type events_provider_order =
	TYPE("reference.provider.order", events_order, order_fields);
const struct codec_type events_provider_receipt =
	TYPE("reference.provider.receipt", events_receipt, receipt_fields);
