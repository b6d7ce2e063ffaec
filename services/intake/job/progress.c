#include "job/progress.h"

#include <stdio.h>

#include "model/rediskey.h"
#include "port/redis.h"

enum { TIMEOUT_MS = 2000 };

/* In one step, so that a stream never stays behind without a TTL. */
static const char end_script[] = "redis.call('XADD',KEYS[1],'MAXLEN','~','1000','*',"
				 "'event','end','data','') "
				 "return redis.call('EXPIRE',KEYS[1],ARGV[1])";

static struct err call(
	struct redis *redis, const struct str *argv, size_t argc, struct arena *arena)
{
	const struct redis_command command = { argv, argc, TIMEOUT_MS };
	struct redis_reply *reply;

	TRY(redis_call(redis, &command, arena, &reply));
	return reply->kind == REDIS_ERROR
		       ? err_retry(ERR_CODE_REDIS_AWAY, "Redis refused the command")
		       : err_ok();
}

struct err progress_end(
	struct redis *redis, struct tenant tenant, struct id job_id, struct arena *arena)
{
	char key[REDISKEY_BYTES], ttl[16];

	rediskey_progress(tenant, job_id, key);
	snprintf(ttl, sizeof ttl, "%d", REDISKEY_RESULT_TTL_S);
	const struct str argv[] = { STR("EVAL"), str_of(end_script), STR("1"), str_of(key),
		str_of(ttl) };
	return call(redis, argv, sizeof argv / sizeof *argv, arena);
}

struct err progress_drop_result(struct redis *redis, struct tenant tenant, struct id job_id,
	const char *result_hash, struct arena *arena)
{
	char result[REDISKEY_BYTES], progress[REDISKEY_BYTES];

	rediskey_result(tenant, job_id, result_hash, result);
	rediskey_progress(tenant, job_id, progress);
	const struct str del[] = { STR("DEL"), str_of(result), str_of(progress) };
	return call(redis, del, 3, arena);
}
