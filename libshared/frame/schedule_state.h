/* The schedule itself, for its own files. */
#ifndef ESTEIRA_FRAME_SCHEDULE_STATE_H
#define ESTEIRA_FRAME_SCHEDULE_STATE_H

#include <pthread.h>

#include "frame/schedule_due.h"
#include "frame/schedule_fair.h"
#include "frame/schedule_lane.h"

struct schedule {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct lanes lanes;
	struct fair fair;
	struct due due;
	struct ring overflowing; /* sources with a share to be moved */
	struct source **sources;
	size_t source_count;
	size_t records, bytes, running;
	size_t idle; /* workers that wait in schedule_take */
	bool moved;  /* what was taken last was overflow */
	bool stopped;
};

#endif
