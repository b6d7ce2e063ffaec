/*
 * How many may do something at once, as a descriptor: waiting for a permit and for children are
 * then one poll(2). A semaphore of eventfd(2); any thread.
 */
#ifndef ESTEIRA_OCR_PERMIT_H
#define ESTEIRA_OCR_PERMIT_H

#include <stdbool.h>
#include <stdint.h>

/* A descriptor holding count permits, readable while one is free; -1 with errno. close() it. */
int permit_open(unsigned count);

/* Takes one if one is free. */
bool permit_try(int permit_fd);

/* Takes one, waiting until until_ms (clock_mono_ms()); false when there was none by then. */
bool permit_take(int permit_fd, int64_t until_ms);

void permit_give(int permit_fd);

#endif
