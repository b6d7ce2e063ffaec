#include "model/rediskey.h"

#include <stdio.h>

void rediskey_result(struct tenant tenant, struct id job, const char *result_hash, char *ret_key)
{
	char tenant_text[ID_TEXT_BYTES], job_text[ID_TEXT_BYTES];

	id_format(tenant.id, tenant_text);
	id_format(job, job_text);
	snprintf(ret_key, REDISKEY_BYTES, "result:%s:%s:%.64s", tenant_text, job_text, result_hash);
}

void rediskey_progress(struct tenant tenant, struct id job, char *ret_key)
{
	char tenant_text[ID_TEXT_BYTES], job_text[ID_TEXT_BYTES];

	id_format(tenant.id, tenant_text);
	id_format(job, job_text);
	snprintf(ret_key, REDISKEY_BYTES, "progress:%s:%s", tenant_text, job_text);
}

void rediskey_event(struct tenant tenant, struct id event, char *ret_key)
{
	char tenant_text[ID_TEXT_BYTES], event_text[ID_TEXT_BYTES];

	id_format(tenant.id, tenant_text);
	id_format(event, event_text);
	snprintf(ret_key, REDISKEY_BYTES, "event:%s:%s", tenant_text, event_text);
}

void rediskey_rate(const char *class, struct tenant tenant, const char *key_id, char *ret_key)
{
	char tenant_text[ID_TEXT_BYTES];

	id_format(tenant.id, tenant_text);
	snprintf(ret_key, REDISKEY_BYTES, "rate:%.16s:%s:%.16s", class, tenant_text, key_id);
}

void rediskey_alive(const char *instance, char *ret_key)
{
	snprintf(ret_key, REDISKEY_BYTES, "ocr:alive:%.128s", instance);
}

void rediskey_all_of(struct tenant tenant, char *ret_pattern)
{
	char tenant_text[ID_TEXT_BYTES];

	id_format(tenant.id, tenant_text);
	snprintf(ret_pattern, REDISKEY_BYTES, "*%s*", tenant_text);
}
