#include "job/decide.h"

#include <stddef.h>

#define REFUSED                                                                                    \
	{                                                                                          \
		DECIDE_REFUSE, 0, NULL, ERR_CODE_NONE, false, false, false                         \
	}
#define STAYS                                                                                      \
	{                                                                                          \
		DECIDE_SAME, 0, NULL, ERR_CODE_NONE, false, false, false                           \
	}
#define LATE_RESULT                                                                                \
	{                                                                                          \
		DECIDE_REFUSE, 0, NULL, ERR_CODE_NONE, false, false, true                          \
	}
#define TO(status, audit)                                                                          \
	{                                                                                          \
		DECIDE_APPLY, DECIDE_##status, audit, ERR_CODE_NONE, false, false, false           \
	}
#define ENDS(code)                                                                                 \
	{                                                                                          \
		DECIDE_APPLY, DECIDE_FAILED, "FAILED", ERR_CODE_##code, true, false, false         \
	}
#define PURGED(status)                                                                             \
	{                                                                                          \
		DECIDE_APPLY, DECIDE_##status, "PURGED", ERR_CODE_NONE, false, true, false         \
	}
#define FORGET_RESULT                                                                              \
	{                                                                                          \
		DECIDE_APPLY, DECIDE_COMPLETED, "PURGED", ERR_CODE_NONE, false, false, true        \
	}

/* `started` may be lost or late, so a pending job completes as well. Both ends are final: a result
 * that comes after the end is dropped. An overdue finished job only has its object purged. */
static const struct decision table[DECIDE_STATUSES][DECIDE_EVENTS] = {
	[DECIDE_PENDING] = {
		[DECIDE_ON_STARTED] = TO(PROCESSING, "PROCESSING"),
		[DECIDE_ON_COMPLETED] = TO(COMPLETED, "COMPLETED"),
		[DECIDE_ON_FAILED] = TO(FAILED, "FAILED"),
		[DECIDE_ON_DELETED] = REFUSED,
		[DECIDE_ON_OVERDUE] = ENDS(EXPIRED),
		[DECIDE_ON_CANCEL] = ENDS(CANCELLED),
	},
	[DECIDE_PROCESSING] = {
		[DECIDE_ON_STARTED] = STAYS,
		[DECIDE_ON_COMPLETED] = TO(COMPLETED, "COMPLETED"),
		[DECIDE_ON_FAILED] = TO(FAILED, "FAILED"),
		[DECIDE_ON_DELETED] = REFUSED,
		[DECIDE_ON_OVERDUE] = ENDS(EXPIRED),
		[DECIDE_ON_CANCEL] = ENDS(CANCELLED),
	},
	[DECIDE_COMPLETED] = {
		[DECIDE_ON_STARTED] = REFUSED,
		[DECIDE_ON_COMPLETED] = STAYS,
		[DECIDE_ON_FAILED] = REFUSED,
		[DECIDE_ON_DELETED] = PURGED(COMPLETED),
		[DECIDE_ON_OVERDUE] = PURGED(COMPLETED),
		[DECIDE_ON_CANCEL] = FORGET_RESULT,
	},
	[DECIDE_FAILED] = {
		[DECIDE_ON_STARTED] = REFUSED,
		[DECIDE_ON_COMPLETED] = LATE_RESULT,
		[DECIDE_ON_FAILED] = STAYS,
		[DECIDE_ON_DELETED] = PURGED(FAILED),
		[DECIDE_ON_OVERDUE] = PURGED(FAILED),
		[DECIDE_ON_CANCEL] = STAYS,
	},
};

struct decision decide(const struct decide_job *job, enum decide_event event)
{
	struct decision decision = table[job->status][event];
	bool repeated = (decision.object_gone && job->purged) ||
			(event == DECIDE_ON_CANCEL && job->result_deleted);

	if (decision.verdict != DECIDE_APPLY)
		decision.status = job->status;
	if (repeated)
		return (struct decision){ .verdict = DECIDE_SAME, .status = job->status };
	return decision;
}

static const char *const names[DECIDE_STATUSES] = { "pending", "processing", "completed",
	"failed" };

const char *decide_status_name(enum decide_status status)
{
	return names[status];
}

bool decide_status_parse(struct str text, enum decide_status *ret_status)
{
	for (int i = 0; i < DECIDE_STATUSES; i++) {
		if (str_eq(text, str_of(names[i]))) {
			*ret_status = (enum decide_status)i;
			return true;
		}
	}
	return false;
}
