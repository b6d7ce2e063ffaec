#include "frame/verdict.h"

/* first, twice first, ... up to max. */
static int64_t doubled_ms(int64_t first_ms, int64_t max_ms, int failures)
{
	int64_t ms = first_ms;

	while (--failures > 0 && ms < max_ms)
		ms *= 2;
	return ms > max_ms ? max_ms : ms;
}

/* Between half and all of it. */
static int64_t backoff_ms(int64_t first_ms, int64_t max_ms, int failures, uint32_t random)
{
	int64_t ms = doubled_ms(first_ms, max_ms, failures);

	return ms / 2 + random % (ms / 2 + 1);
}

static struct verdict decided(enum verdict_what what, int64_t delay_ms, struct err why)
{
	return (struct verdict){ what, delay_ms, why };
}

/* An answer about this record, and it may be better later. */
static struct verdict try_later(const struct verdict_input *in)
{
	const struct route *route = in->route;
	int most = route != NULL && route->attempts > 0 ? route->attempts : VERDICT_ATTEMPTS;
	int64_t delay_ms =
		route != NULL && route->delay_ms > 0 ? route->delay_ms : VERDICT_DELAY_MS;

	if (in->here_ms < VERDICT_HERE_MS && in->again_ms == 0)
		return decided(VERDICT_HERE,
			backoff_ms(VERDICT_FIRST_MS, VERDICT_HERE_MS / 2, in->tries, in->random),
			in->e);
	if (in->attempts + 1 >= most)
		return decided(VERDICT_BURY, 0,
			err_code_class(in->e.code) == ERR_CLASS_TRANSIENT
				? err_reject(ERR_CODE_ATTEMPTS_EXHAUSTED, in->e.msg)
				: err_reject(in->e.code, in->e.msg));
	/* whole delays, so that the second attempt is never early: jitter is added */
	delay_ms = in->again_ms > 0 ? in->again_ms
				    : doubled_ms(delay_ms, VERDICT_DELAY_MAX_MS, in->attempts + 1);
	return decided(VERDICT_PARK, delay_ms + in->random % (delay_ms / 5 + 1), in->e);
}

struct verdict verdict_of(const struct verdict_input *in)
{
	if (in->e.kind == ERR_FATAL)
		return decided(VERDICT_DIE, 0, in->e);
	if (in->e.kind == ERR_REJECT)
		return decided(VERDICT_BURY, 0, in->e);
	if (in->e.code == ERR_CODE_BAD_TRANSITION)
		return decided(VERDICT_FORGET, VERDICT_WAIT_MAX_MS, in->e);
	if (err_code_class(in->e.code) == ERR_CLASS_DEPENDENCY)
		return decided(VERDICT_WAIT,
			backoff_ms(
				VERDICT_FIRST_MS * 2, VERDICT_WAIT_MAX_MS, in->outages, in->random),
			in->e);
	if (err_code_class(in->e.code) == ERR_CLASS_PROVIDER)
		return decided(VERDICT_BRAKE, 0, in->e);
	return try_later(in);
}
