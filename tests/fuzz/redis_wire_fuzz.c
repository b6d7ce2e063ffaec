/*
 * Any bytes as what a Redis server sends, in reads whose sizes the first byte chooses; each reply
 * as what the script of rate limits answers, too.
 */
#include "api/rate.h"
#include "port/redis_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void touch(const struct redis_reply *reply)
{
	if ((reply->text.len > 0 && reply->text.ptr[reply->text.len] != '\0') ||
		reply->count > (1U << 20))
		__builtin_trap();
	for (size_t i = 0; i < reply->count; i++)
		touch(&reply->items[i]);
}

static void limit(const struct redis_reply *reply)
{
	struct window_verdict verdict;
	const int64_t most = 30;

	if (!rate_read_reply(reply, most, &verdict))
		return;
	unsigned wait_s = rate_retry_after_s(&verdict);
	if (verdict.left < 0 || verdict.left > most || wait_s < 1 || wait_s > 61)
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct redis_wire *wire = redis_wire_new(64 * 1024);
	struct arena *arena = arena_new(16 * 1024);
	size_t step = size == 0 ? 1 : (size_t)data[0] + 1;
	const struct redis_reply *reply = NULL;
	bool good = true;

	for (size_t at = 1; good && at < size; at += step) {
		size_t len = size - at < step ? size - at : step;

		good = redis_wire_feed(wire, (struct str){ (const char *)data + at, len });
		while (good && (good = redis_wire_next(wire, &reply)) && reply != NULL) {
			touch(reply);
			limit(reply);
			struct redis_reply *copy = redis_wire_copy(arena, reply);
			if (copy != NULL)
				touch(copy);
		}
	}
	arena_free(arena);
	redis_wire_free(wire);
	return 0;
}
