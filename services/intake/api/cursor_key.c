#include "api/cursor_key.h"

#include <stdlib.h>

#include "api/api.h"
#include "api/api_store.h"
#include "frame/pool.h"
#include "port/digest.h"
#include "port/loop.h"

enum { PERIOD_MS = 500 };

struct cursor_key {
	struct pool_job job;
	struct api *api;
	struct loop_timer *timer;
	bool busy;
	_Atomic bool known; /* bytes are there and stay */
	uint8_t bytes[CURSOR_KEY_BYTES];
};

static struct err run(struct pool_job *job, struct pg *pg, struct arena *arena)
{
	return api_store_cursor_key(pg, arena, ((struct cursor_key *)job)->bytes);
}

static void done(struct pool_job *job, struct err e)
{
	struct cursor_key *key = (struct cursor_key *)job;

	key->busy = false;
	if (e.kind != ERR_OK)
		return;
	key->known = true;
	cursor_key_stop(key);
}

static void on_timer(void *arg)
{
	struct cursor_key *key = arg;

	if (!key->busy)
		key->busy = pool_submit(key->api->watch, &key->job).kind == ERR_OK;
}

struct err cursor_key_open(struct api *api, struct cursor_key **ret_key)
{
	struct cursor_key *key = calloc(1, sizeof *key);

	if (key == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory to start with");
	key->api = api;
	key->job = (struct pool_job){ .run = run, .done = done };
	struct err e = loop_timer_new(api->loop, on_timer, key, &key->timer);
	if (e.kind != ERR_OK) {
		free(key);
		return e;
	}
	loop_timer_start(key->timer, 0, PERIOD_MS);
	*ret_key = key;
	return err_ok();
}

void cursor_key_stop(struct cursor_key *key)
{
	if (key == NULL)
		return;
	loop_timer_free(key->timer);
	key->timer = NULL;
}

void cursor_key_free(struct cursor_key *key)
{
	if (key == NULL)
		return;
	digest_wipe(key->bytes, sizeof key->bytes);
	free(key);
}

const uint8_t *cursor_key_bytes(const struct cursor_key *key)
{
	return key->known ? key->bytes : NULL;
}
