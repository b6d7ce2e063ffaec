#include "fault.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

enum { REMEMBERED = 4096 };

struct fault_memory {
	pthread_mutex_t lock;
	struct {
		struct id event_id;
		int64_t failures, first_ms;
	} items[REMEMBERED];
	size_t next;
};

struct fault_memory *fault_memory_new(void)
{
	struct fault_memory *memory = calloc(1, sizeof *memory);

	if (memory != NULL)
		pthread_mutex_init(&memory->lock, NULL);
	return memory;
}

void fault_memory_free(struct fault_memory *memory)
{
	if (memory == NULL)
		return;
	pthread_mutex_destroy(&memory->lock);
	free(memory);
}

void fault_sleep(int64_t ms)
{
	const struct timespec span = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&span, NULL);
}

/* Where the event is remembered from now on. */
static size_t recall(struct fault_memory *memory, struct id event_id)
{
	size_t i = 0;

	while (i < REMEMBERED && !id_eq(memory->items[i].event_id, event_id))
		i++;
	if (i == REMEMBERED) {
		i = memory->next++ % REMEMBERED;
		memory->items[i].event_id = event_id;
		memory->items[i].failures = 0;
		memory->items[i].first_ms = clock_mono_ms();
	}
	return i;
}

/* Is another failure due? */
static bool fails_again(
	struct fault_memory *memory, struct id event_id, const struct decide_fault *fault)
{
	pthread_mutex_lock(&memory->lock);
	size_t i = recall(memory, event_id);
	bool again = fault->kind == DECIDE_RETRY
			     ? memory->items[i].failures < fault->number
			     : clock_mono_ms() - memory->items[i].first_ms < fault->number;
	memory->items[i].failures += again;
	pthread_mutex_unlock(&memory->lock);
	return again;
}

static void loop_for_ever(void)
{
	for (volatile unsigned turn = 0;; turn++)
		;
}

static struct err retry(
	struct fault_memory *memory, struct id event_id, const struct decide_fault *fault)
{
	if (fails_again(memory, event_id, fault))
		return err_retry(ERR_CODE_TRY_AGAIN, "it was asked to fail");
	return err_ok();
}

static struct err happen_before(
	struct fault_memory *memory, struct id event_id, const struct decide_fault *fault)
{
	switch (fault->kind) {
	case DECIDE_RETRY:
	case DECIDE_ILL:
		return retry(memory, event_id, fault);
	case DECIDE_REJECT:
		return err_reject(ERR_CODE_BAD_RECORD, "it was asked to be refused");
	case DECIDE_CRASH:
		raise(SIGSEGV);
		break;
	case DECIDE_LOOP:
		loop_for_ever();
		break;
	case DECIDE_SLOW:
		fault_sleep(fault->number);
		break;
	case DECIDE_AWAY:
		return err_retry(ERR_CODE_PROVIDER_AWAY, "it was asked to be away");
	case DECIDE_OK:
	case DECIDE_CRASH_AFTER:
		break;
	case DECIDE_UNREADABLE:
		return err_reject(ERR_CODE_BAD_RECORD, "field behave: unknown");
	}
	return err_ok();
}

struct err fault_happen(struct fault_memory *memory, struct id event_id, const char *behave,
	enum fault_moment moment)
{
	const struct decide_fault fault = decide_fault(behave);

	if (moment != FAULT_AFTER_CALL)
		return happen_before(memory, event_id, &fault);
	if (fault.kind == DECIDE_CRASH_AFTER)
		raise(SIGSEGV);
	return err_ok();
}
