/* What the reference service reads and writes on intake.events. behave: decide_fault. */
#ifndef ESTEIRA_REFERENCE_EVENTS_H
#define ESTEIRA_REFERENCE_EVENTS_H

#include "model/codec.h"

/* reference.entry.requested.v1 */
struct events_entry {
	const char *key;
	int64_t n;
	const char *behave; /* NULL = ok, as in all */
};

/* reference.entry.made.v1 */
struct events_entry_made {
	const char *key;
	int64_t n;
};

/* reference.charge.requested.v1; account is its ordering key */
struct events_charge {
	const char *charge; /* business key */
	const char *account;
	int64_t amount_cents;
	const char *behave;
};

/* reference.charge.settled.v1 */
struct events_charge_settled {
	const char *charge;
	const char *state;     /* "confirmed", "failed" */
	const char *reference; /* the provider's; may be absent */
};

/* reference.count.requested.v1 */
struct events_count {
	const char *name;
	int64_t n;
	const char *behave;
};

/* reference.count.made.v1 */
struct events_count_made {
	const char *name;
	int64_t n;
};

/* What the provider is asked, and what it answers. */
struct events_order {
	const char *charge;
	int64_t amount_cents;
};
struct events_receipt {
	const char *reference;
	const char *state; /* "confirmed", "failed" */
};

extern const struct codec_type events_note_requested; /* struct events_entry */
extern const struct codec_type events_entry_requested;
extern const struct codec_type events_entry_was_made;
extern const struct codec_type events_charge_requested;
extern const struct codec_type events_charge_was_settled;
extern const struct codec_type events_count_requested;
extern const struct codec_type events_count_was_made;
extern const struct codec_type events_provider_order;
extern const struct codec_type events_provider_receipt;

#endif
