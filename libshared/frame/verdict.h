/*
 * What becomes of a record whose handling failed. PURE: the one place that decides between trying
 * again here, parking, giving up, waiting and ending the process; every line has a test.
 */
#ifndef ESTEIRA_FRAME_VERDICT_H
#define ESTEIRA_FRAME_VERDICT_H

#include "base/err.h"
#include "frame/route.h"

enum {
	VERDICT_HERE_MS = 2000, /* shorter troubles are sat out in place, blocking the key only */
	VERDICT_FIRST_MS = 100, /* between two tries here: this, then twice as long ... */
	VERDICT_WAIT_MAX_MS = 10000,
	VERDICT_ATTEMPTS = 3,
	VERDICT_DELAY_MS = 2000,
	VERDICT_DELAY_MAX_MS = 3600000,
};

enum verdict_what {
	VERDICT_HERE,	/* again from its place in its lane after delay_ms; no attempt */
	VERDICT_WAIT,	/* one of our own servers is away: again after delay_ms; no attempt */
	VERDICT_PARK,	/* an attempt: to parked, due in delay_ms */
	VERDICT_BRAKE,	/* a provider is away: to parked until its brake lets a probe through */
	VERDICT_BURY,	/* dead letter, for why */
	VERDICT_FORGET, /* the partition has another owner */
	VERDICT_DIE,	/* the process has to end */
};

struct verdict_input {
	struct err e;
	const struct route *route; /* NULL: the record has none */
	int attempts;		   /* before this one */
	int tries;		   /* failed ones in a row here, this one included */
	int64_t here_ms;	   /* since the first failure here */
	int outages;		   /* failed calls in a row of this worker to our own servers */
	uint32_t random;	   /* for the jitter: nobody retries in step */
	int64_t again_ms;	   /* scope->again_ms: the pause the step asked for; 0 = none */
};

struct verdict {
	enum verdict_what what;
	int64_t delay_ms;
	struct err why;
};

struct verdict verdict_of(const struct verdict_input *input);

#endif
