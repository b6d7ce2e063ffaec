/*
 * Faults on demand: does to the process or the record what its `behave` asks for. Handlers of the
 * product do nothing of the kind.
 */
#ifndef ESTEIRA_REFERENCE_FAULT_H
#define ESTEIRA_REFERENCE_FAULT_H

#include "base/id.h"
#include "decide.h"

enum fault_moment { FAULT_FIRST, FAULT_AFTER_CALL };

/* Failures so far by event id; forgets the oldest. Any thread. */
struct fault_memory;
struct fault_memory *fault_memory_new(void); /* NULL without memory */
void fault_memory_free(struct fault_memory *memory);

/* ERR_REJECT bad-record: `behave` cannot be read, or asks for it. */
struct err fault_happen(struct fault_memory *memory, struct id event_id, const char *behave,
	enum fault_moment moment) ERR_MUST_USE;

void fault_sleep(int64_t ms);

#endif
