/*
 * The names under which processes of ocr and intake meet in Redis. A name holds ids and hashes,
 * never content; what is stored under a result's name is sealed (port/seal).
 */
#ifndef ESTEIRA_MODEL_REDISKEY_H
#define ESTEIRA_MODEL_REDISKEY_H

#include "model/tenant.h"

enum {
	REDISKEY_BYTES = 192,
	REDISKEY_RESULT_TTL_S = 900,
	REDISKEY_ALIVE_TTL_S = 60,
	REDISKEY_EVENT_TTL_S = 900,
};

/* A string: the sealed salt and body of a result. "result:<tenant>:<job>:<result hash>" */
void rediskey_result(struct tenant tenant, struct id job, const char *result_hash, char *ret_key);

/* A stream of {event, data} entries: what GET /v1/jobs/{id}/events shows. "progress:<tenant>:<job>"
 */
void rediskey_progress(struct tenant tenant, struct id job, char *ret_key);

/* A string with a TTL: an event from outside that the log has. "event:<tenant>:<event>" */
void rediskey_event(struct tenant tenant, struct id event, char *ret_key);

/* A string with a TTL: this ocr process has recognised something lately. "ocr:alive:<instance>" */
void rediskey_alive(const char *instance, char *ret_key);

/* A list with a TTL: when requests passed that are counted together; key_id "" when they are a
 * tenant's. "rate:<class>:<tenant>:<key id>" */
void rediskey_rate(const char *class, struct tenant tenant, const char *key_id, char *ret_key);

/* For SCAN: every key of a tenant, whatever it is for. */
void rediskey_all_of(struct tenant tenant, char *ret_pattern);

/* For SCAN: every alive key. */
#define REDISKEY_ALIVE_PATTERN "ocr:alive:*"

#endif
