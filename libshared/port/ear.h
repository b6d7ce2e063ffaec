/*
 * Whom a client of ours tells how long its calls took. A port knows nothing of metrics; who opens
 * it hands this in.
 */
#ifndef ESTEIRA_PORT_EAR_H
#define ESTEIRA_PORT_EAR_H

#include "base/clock.h"

/* All zero: nobody listens. */
struct ear {
	void (*heard)(void *arg, int64_t took_us); /* any thread, at any time: it is quick */
	void *arg;
};

/* A call that began at since_us (clock_mono_us) has ended. */
static inline void ear_tell(const struct ear *ear, int64_t since_us)
{
	if (ear->heard != NULL)
		ear->heard(ear->arg, clock_mono_us() - since_us);
}

#endif
