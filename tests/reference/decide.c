#include "decide.h"

#include <string.h>

static const struct {
	const char *word;
	enum decide_fault_kind kind;
	bool numbered;
} faults[] = {
	{ "ok", DECIDE_OK, false },
	{ "retry", DECIDE_RETRY, true },
	{ "ill", DECIDE_ILL, true },
	{ "reject", DECIDE_REJECT, false },
	{ "crash", DECIDE_CRASH, false },
	{ "crash-after", DECIDE_CRASH_AFTER, false },
	{ "loop", DECIDE_LOOP, false },
	{ "slow", DECIDE_SLOW, true },
	{ "away", DECIDE_AWAY, false },
};

struct decide_fault decide_fault(const char *behave)
{
	struct str number, word = str_cut(str_of(behave == NULL ? "ok" : behave), ':', &number);
	uint64_t value = 0;

	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
		if (!str_eq(word, str_of(faults[i].word)))
			continue;
		if (faults[i].numbered ? !str_to_u64(number, &value) || value > 600000
				       : number.len > 0)
			break;
		return (struct decide_fault){ faults[i].kind, (int64_t)value };
	}
	return (struct decide_fault){ DECIDE_UNREADABLE, 0 };
}

/* 429 says that it was not even looked at; of 5xx nobody knows. */
enum effect_state decide_after_call(int status)
{
	if (status >= 200 && status < 300)
		return EFFECT_CONFIRMED;
	if (status == 429)
		return EFFECT_INTENT;
	return status >= 400 && status < 500 ? EFFECT_FAILED : EFFECT_UNKNOWN;
}

enum effect_state decide_after_question(int status, const char *state)
{
	if (status == 404)
		return EFFECT_INTENT;
	if (status != 200)
		return EFFECT_UNKNOWN;
	if (state != NULL && strcmp(state, "confirmed") == 0)
		return EFFECT_CONFIRMED;
	return state != NULL && strcmp(state, "failed") == 0 ? EFFECT_FAILED : EFFECT_UNKNOWN;
}
