/* What a worker gets next: one record, a batch, or records to be moved. Under the schedule's lock.
 */
#ifndef ESTEIRA_FRAME_SCHEDULE_TAKE_H
#define ESTEIRA_FRAME_SCHEDULE_TAKE_H

#include "frame/schedule_state.h"

/* At most SCHEDULE_TAKE_MAX; 0 = nothing is ready. */
size_t schedule_take_next(struct schedule *schedule, struct record **ret_records);

#endif
