/*
 * The noun "dlq": lists dead letters and sends them back or gives them up. A decision writes rows;
 * the owner of the letter's partition handles what is sent back, in the lane it came from.
 */
#ifndef ESTEIRA_CTL_DLQ_H
#define ESTEIRA_CTL_DLQ_H

#include "command.h"

enum { DLQ_LIMIT = 50, DLQ_LIMIT_MAX = 10000, DLQ_RATE = 100, DLQ_RATE_MAX = 1000000 };

extern const struct command dlq_commands[];

#endif
