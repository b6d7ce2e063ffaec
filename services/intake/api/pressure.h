/*
 * Back-pressure: whether a document taken now would be read before its deadline, judged once a
 * second from the rows of all tenants. Better a 503 with a time to come again than a job that
 * expires.
 */
#ifndef ESTEIRA_INTAKE_API_PRESSURE_H
#define ESTEIRA_INTAKE_API_PRESSURE_H

#include "api/api_store.h"

struct api;
struct pressure;

/* Starts asking every second, on api->watch. Loop thread. ERR_FATAL out-of-memory. */
struct err pressure_open(struct api *api, struct pressure **ret_pressure) ERR_MUST_USE;

/* Asks no more. Loop thread; NULL is fine. */
void pressure_stop(struct pressure *pressure);
void pressure_free(struct pressure *pressure); /* after api->watch has ended */

/* 0: take it. Else seconds (3..300) after which to come again. deadline_s is the tenant's. Loop
 * thread. */
unsigned pressure_ask(const struct pressure *pressure, int64_t deadline_s);

/* Pure: seconds until a document taken now would have been read; and the decision from it.
 * pending_max 0 = off. */
double pressure_estimate_s(const struct api_store_load *load);
unsigned pressure_decide(
	const struct api_store_load *load, int64_t deadline_s, int64_t pending_max);

#endif
