#include "decide.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SECOND_MS = 1000, MINUTE_MS = 60 * SECOND_MS, HOUR_MS = 60 * MINUTE_MS };
enum { PAUSE_MAX_MS = 24 * HOUR_MS, DATE_LEN = 29 };

/* More digits than a number holds are a long time, too. */
static bool is_number(struct str text)
{
	size_t digits = 0;

	while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9')
		digits++;
	return digits > 0 && digits == text.len;
}

int64_t decide_retry_after_ms(struct str text, int64_t now_ms)
{
	uint64_t seconds;
	char date[DATE_LEN + 1];
	struct tm tm = { 0 };
	int64_t ms = 0;

	text = str_trim(text);
	if (is_number(text)) {
		bool fits = str_to_u64(text, &seconds) && seconds <= PAUSE_MAX_MS / SECOND_MS;
		ms = fits ? (int64_t)seconds * SECOND_MS : PAUSE_MAX_MS;
	} else if (text.len == DATE_LEN) {
		memcpy(date, text.ptr, DATE_LEN);
		date[DATE_LEN] = '\0';
		const char *end = strptime(date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
		if (end != NULL && *end == '\0')
			ms = (int64_t)timegm(&tm) * SECOND_MS - now_ms;
	}
	return ms < 0 ? 0 : ms > PAUSE_MAX_MS ? PAUSE_MAX_MS : ms;
}

enum decide_outcome decide_answer(const struct decide_schedule *schedule,
	const struct decide_answer *answer, int64_t *ret_pause_ms)
{
	bool busy = answer->status == 429 || answer->status == 503;

	if (answer->status >= 200 && answer->status < 300)
		return DECIDE_DELIVERED;
	if (answer->status == 410)
		return DECIDE_GONE;
	if (answer->attempts < 0 || (size_t)answer->attempts >= schedule->count)
		return DECIDE_FAILED;
	int64_t pause_ms = schedule->pauses_ms[answer->attempts];
	int64_t asked_ms = busy ? decide_retry_after_ms(answer->retry_after, answer->now_ms) : 0;
	*ret_pause_ms = asked_ms > pause_ms ? asked_ms : pause_ms;
	return DECIDE_AGAIN;
}

static bool read_pause(struct str text, int64_t *ret_ms)
{
	static const struct {
		const char *suffix;
		int64_t ms;
	} units[] = { { "ms", 1 }, { "s", SECOND_MS }, { "m", MINUTE_MS }, { "h", HOUR_MS } };
	uint64_t number;

	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		size_t len = strlen(units[i].suffix);
		if (text.len <= len ||
			memcmp(text.ptr + text.len - len, units[i].suffix, len) != 0 ||
			!str_to_u64((struct str){ text.ptr, text.len - len }, &number))
			continue;
		if (number == 0 || number > (uint64_t)(PAUSE_MAX_MS / units[i].ms))
			return false;
		*ret_ms = (int64_t)number * units[i].ms;
		return true;
	}
	return false;
}

bool decide_read_schedule(struct str text, struct decide_schedule *ret_schedule)
{
	struct decide_schedule schedule = { .count = 0 };
	bool more = true;

	while (more) {
		struct str rest, pause = str_cut(text, ',', &rest);
		more = pause.len < text.len;
		if (schedule.count == DECIDE_PAUSES_MAX ||
			!read_pause(str_trim(pause), &schedule.pauses_ms[schedule.count++]))
			return false;
		text = rest;
	}
	*ret_schedule = schedule;
	return true;
}
