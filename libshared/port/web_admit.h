/*
 * Inside of port/web: what is refused, or answered for good, before a handler sees the request: by
 * the route table alone, so the same for everybody. Not for handlers. Loop thread only.
 */
#ifndef ESTEIRA_PORT_WEB_ADMIT_H
#define ESTEIRA_PORT_WEB_ADMIT_H

#include "base/err.h"

struct web_exchange;

/* Sets the exchange's route. False when it was answered: 404, 405, 413, 415, or a preflight. */
bool web_admit(struct web_exchange *exchange);

#endif
