/* PURE: which fault a record asks for, and what an answer of the provider means. */
#ifndef ESTEIRA_REFERENCE_DECIDE_H
#define ESTEIRA_REFERENCE_DECIDE_H

#include "frame/effect.h"

enum decide_fault_kind {
	DECIDE_OK,
	DECIDE_RETRY, /* fail number times, then go well */
	DECIDE_ILL,   /* fail until number milliseconds after the first try */
	DECIDE_REJECT,
	DECIDE_CRASH,
	DECIDE_CRASH_AFTER, /* when the effect has happened and nobody has written it down */
	DECIDE_LOOP,
	DECIDE_SLOW, /* number milliseconds */
	DECIDE_AWAY,
	DECIDE_UNREADABLE,
};

struct decide_fault {
	enum decide_fault_kind kind;
	int64_t number;
};

/* behave: NULL = ok. */
struct decide_fault decide_fault(const char *behave);

/* The state of the effect after an answer. */
enum effect_state decide_after_call(int status);
enum effect_state decide_after_question(int status, const char *state);

#endif
