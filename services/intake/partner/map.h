/*
 * From what a partner sent to what the suite reads: the type's data is read by its table and
 * written back, so that nothing the table does not know gets in, and the envelope is ours. The id
 * is derived from the sender's own, so the same event sent again, by Kafka or REST, takes effect
 * once. PURE.
 */
#ifndef ESTEIRA_INTAKE_PARTNER_MAP_H
#define ESTEIRA_INTAKE_PARTNER_MAP_H

#include "base/arena.h"
#include "base/err.h"
#include "frame/topic.h"
#include "model/foreign.h"
#include "model/tenant.h"
#include "port/kafka.h"

/* Who sent it, and for whom he was found to act. */
struct partner_sender {
	const char *partner; /* the partner's slug; "self" for the tenant's own keys */
	struct tenant tenant;
	const char *slug; /* the tenant's */
};

struct partner_event {
	struct id id; /* frame/foreign_id.h */
	/* Ready for kafka_producer_send: topic intake.events, partition by the suite's rule; in the
	 * arena. */
	struct kafka_record record;
};

/*
 * now_ms (wall) is the event's time when the sender named none. Texts of foreign are borrowed,
 * those of from are copied. ERR_REJECT, the message is meant for the sender: unknown-type;
 * bad-record: no id, or data that breaks the type's schema; tenant-mismatch: the subject is another
 * tenant; record-too-large: the arena is full. Any thread.
 */
struct err partner_map(const struct topic_space *space, const struct foreign *foreign,
	const struct partner_sender *from, int64_t now_ms, struct arena *arena,
	struct partner_event *ret_event) ERR_MUST_USE;

#endif
