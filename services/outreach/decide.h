/*
 * What an endpoint's answer means. PURE: 2xx alone is success (Standard Webhooks 1.0.0,
 * "Delivery"); no redirect is followed, 410 is the receiver's way to say that nobody is there any
 * more.
 */
#ifndef ESTEIRA_OUTREACH_DECIDE_H
#define ESTEIRA_OUTREACH_DECIDE_H

#include "base/str.h"

enum decide_outcome {
	DECIDE_DELIVERED,
	DECIDE_AGAIN,  /* after *ret_pause_ms */
	DECIDE_FAILED, /* that was the last attempt */
	DECIDE_GONE,   /* 410: the endpoint is to be disabled */
};

enum { DECIDE_PAUSES_MAX = 16 };

/* The pauses between attempts, milliseconds; one attempt more than there are. */
struct decide_schedule {
	int64_t pauses_ms[DECIDE_PAUSES_MAX];
	size_t count;
};

struct decide_answer {
	int status;		/* 0: there was none */
	struct str retry_after; /* the header of a 429 or 503; ptr NULL = none */
	int64_t now_ms;		/* wall, for a date in it */
	int attempts;		/* before this one, of this round */
};

enum decide_outcome decide_answer(const struct decide_schedule *schedule,
	const struct decide_answer *answer, int64_t *ret_pause_ms);

/* "5s,5m,2h": 1 to DECIDE_PAUSES_MAX of a number and s, m or h, or ms; each at most 24 h. */
bool decide_read_schedule(struct str text, struct decide_schedule *ret_schedule);

/* Retry-After (RFC 9110 section 10.2.3): seconds or an HTTP date, at most a day; 0 = none, or not
 * readable. */
int64_t decide_retry_after_ms(struct str text, int64_t now_ms);

#endif
