/*
 * GET /v1/health: what the suite stands on, as partners may see it. The answer is made from what is
 * known; probes of Postgres, Redis, storage and OCR run in the background every 5 s and never hold
 * it up. Kafka is known by the relay and the consumer. Always 200: "degraded" names what is down,
 * and uploads say 503 themselves where it matters.
 */
#ifndef ESTEIRA_INTAKE_API_STATUS_H
#define ESTEIRA_INTAKE_API_STATUS_H

#include "base/err.h"

struct api;
struct status;
struct web_exchange;

/* Starts probing, on api->watch and api->probe. Loop thread. ERR_FATAL out-of-memory. */
struct err status_open(struct api *api, struct status **ret_status) ERR_MUST_USE;

/* Probes no more. Loop thread; NULL is fine. */
void status_stop(struct status *status);

/* After the pools have ended. Memory goes when Redis has answered the last command. */
void status_close(struct status *status);

/* The handler; arg is the struct api. */
void status_get(struct web_exchange *exchange, void *arg);

#endif
