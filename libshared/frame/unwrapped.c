#include "frame/unwrapped.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "port/digest.h"

enum slot_state {
	SLOT_FREE,
	SLOT_OPENING, /* its opener is at work without the lock */
	SLOT_READY,
	SLOT_FAILED, /* until the last who waited has read why */
};

struct slot {
	enum slot_state state;
	bool stale;	  /* not for anybody who comes now */
	unsigned waiting; /* for the opener; while any does, the slot is not taken */
	struct seal_key_row row;
	uint8_t digest[DIGEST_BYTES]; /* of the wrapping */
	int64_t opened_ms, used_ms;
	uint64_t turn; /* the higher, the later used: two may be of one millisecond */
	struct err why;
};

struct unwrapped {
	struct unwrapped_conf conf;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	uint64_t turns;
	struct slot *slots;
	struct seal_key *keys; /* one of each slot */
};

struct unwrapped *unwrapped_new(const struct unwrapped_conf *conf)
{
	struct unwrapped *unwrapped = calloc(1, sizeof *unwrapped);

	if (unwrapped == NULL)
		return NULL;
	unwrapped->conf = *conf;
	unwrapped->slots = calloc(conf->keys_max, sizeof *unwrapped->slots);
	unwrapped->keys = seal_key_room(conf->keys_max);
	if (unwrapped->slots == NULL || unwrapped->keys == NULL) {
		free(unwrapped->slots);
		seal_key_room_free(unwrapped->keys, conf->keys_max);
		free(unwrapped);
		return NULL;
	}
	pthread_mutex_init(&unwrapped->mutex, NULL);
	pthread_cond_init(&unwrapped->changed, NULL);
	return unwrapped;
}

void unwrapped_free(struct unwrapped *unwrapped)
{
	if (unwrapped == NULL)
		return;
	pthread_cond_destroy(&unwrapped->changed);
	pthread_mutex_destroy(&unwrapped->mutex);
	seal_key_room_free(unwrapped->keys, unwrapped->conf.keys_max);
	free(unwrapped->slots);
	free(unwrapped);
}

/* --- all below: with the lock --- */

static struct seal_key *key_of(const struct unwrapped *unwrapped, const struct slot *slot)
{
	return unwrapped->keys + (slot - unwrapped->slots);
}

static void empty(struct unwrapped *unwrapped, struct slot *slot)
{
	seal_key_wipe(key_of(unwrapped, slot));
	*slot = (struct slot){ .state = SLOT_FREE };
	pthread_cond_broadcast(&unwrapped->changed);
}

static bool is_over(const struct unwrapped *unwrapped, const struct slot *slot, int64_t now_ms)
{
	return slot->stale || now_ms - slot->opened_ms >= unwrapped->conf.ttl_ms ||
	       now_ms - slot->used_ms >= unwrapped->conf.idle_ms;
}

static void sweep(struct unwrapped *unwrapped)
{
	int64_t now_ms = clock_mono_ms();

	for (size_t i = 0; i < unwrapped->conf.keys_max; i++) {
		struct slot *slot = &unwrapped->slots[i];
		if (slot->state == SLOT_READY && slot->waiting == 0 &&
			is_over(unwrapped, slot, now_ms))
			empty(unwrapped, slot);
	}
}

static bool is_same(const struct slot *slot, const struct seal_key_row *row, const uint8_t *digest)
{
	return (slot->state == SLOT_READY || slot->state == SLOT_OPENING) && !slot->stale &&
	       slot->row.version == row->version && id_eq(slot->row.tenant.id, row->tenant.id) &&
	       memcmp(slot->digest, digest, sizeof slot->digest) == 0;
}

static struct slot *find(
	struct unwrapped *unwrapped, const struct seal_key_row *row, const uint8_t *digest)
{
	for (size_t i = 0; i < unwrapped->conf.keys_max; i++)
		if (is_same(&unwrapped->slots[i], row, digest))
			return &unwrapped->slots[i];
	return NULL;
}

/* A free slot, or the one that was asked for longest ago; NULL when all are being opened. */
static struct slot *make_room(struct unwrapped *unwrapped)
{
	struct slot *oldest = NULL;

	for (size_t i = 0; i < unwrapped->conf.keys_max; i++) {
		struct slot *slot = &unwrapped->slots[i];
		if (slot->state == SLOT_FREE)
			return slot;
		if (slot->state == SLOT_READY && slot->waiting == 0 &&
			(oldest == NULL || slot->turn < oldest->turn))
			oldest = slot;
	}
	if (oldest != NULL)
		empty(unwrapped, oldest);
	return oldest;
}

/* What the opener of the slot got. */
static struct err share(struct unwrapped *unwrapped, struct slot *slot, struct seal_key *ret_key)
{
	struct err e = err_ok();

	slot->waiting++;
	while (slot->state == SLOT_OPENING)
		pthread_cond_wait(&unwrapped->changed, &unwrapped->mutex);
	slot->waiting--;
	if (slot->state == SLOT_READY) {
		slot->used_ms = clock_mono_ms();
		slot->turn = ++unwrapped->turns;
		*ret_key = *key_of(unwrapped, slot);
	} else {
		e = slot->why;
	}
	if (slot->waiting == 0 && (slot->state == SLOT_FAILED || slot->stale))
		empty(unwrapped, slot);
	return e;
}

/* Opens it in the slot; the lock is let go meanwhile. */
static struct err open_in(struct unwrapped *unwrapped, struct slot *slot, struct str wrapped,
	struct seal_key *ret_key)
{
	struct seal_key SCOPED(seal_key_wipe) key = { { 0 } };
	const struct seal_key_row row = slot->row;

	pthread_mutex_unlock(&unwrapped->mutex);
	struct err e = unwrapped->conf.open(unwrapped->conf.arg, &row, wrapped, &key);
	pthread_mutex_lock(&unwrapped->mutex);
	slot->why = e;
	slot->opened_ms = slot->used_ms = clock_mono_ms();
	slot->turn = ++unwrapped->turns;
	slot->state = e.kind == ERR_OK ? SLOT_READY : SLOT_FAILED;
	if (e.kind == ERR_OK)
		*ret_key = *key_of(unwrapped, slot) = key;
	pthread_cond_broadcast(&unwrapped->changed);
	if (slot->waiting == 0 && (slot->state == SLOT_FAILED || slot->stale))
		empty(unwrapped, slot);
	return e;
}

/* A slot for the row: one that has it, or a new one to be opened by the caller. */
static struct slot *take_slot(struct unwrapped *unwrapped, const struct seal_key_row *row,
	const uint8_t *digest, bool *ret_known)
{
	struct slot *slot;

	for (;;) {
		sweep(unwrapped);
		slot = find(unwrapped, row, digest);
		*ret_known = slot != NULL;
		if (slot == NULL)
			slot = make_room(unwrapped);
		if (slot != NULL)
			break;
		pthread_cond_wait(&unwrapped->changed, &unwrapped->mutex);
	}
	if (!*ret_known) {
		*slot = (struct slot){ .state = SLOT_OPENING, .row = *row };
		memcpy(slot->digest, digest, sizeof slot->digest);
	}
	return slot;
}

/* --- the calls --- */

struct err unwrapped_get(struct unwrapped *unwrapped, const struct seal_key_row *row,
	struct str wrapped, struct seal_key *ret_key, bool *ret_known)
{
	uint8_t digest[DIGEST_BYTES];

	digest_sha256(wrapped, digest);
	pthread_mutex_lock(&unwrapped->mutex);
	struct slot *slot = take_slot(unwrapped, row, digest, ret_known);
	struct err e = *ret_known ? share(unwrapped, slot, ret_key)
				  : open_in(unwrapped, slot, wrapped, ret_key);
	pthread_mutex_unlock(&unwrapped->mutex);
	return e;
}

void unwrapped_forget(struct unwrapped *unwrapped, struct tenant tenant)
{
	pthread_mutex_lock(&unwrapped->mutex);
	for (size_t i = 0; i < unwrapped->conf.keys_max; i++)
		if (id_eq(unwrapped->slots[i].row.tenant.id, tenant.id))
			unwrapped->slots[i].stale = true;
	sweep(unwrapped);
	pthread_mutex_unlock(&unwrapped->mutex);
}

void unwrapped_sweep(struct unwrapped *unwrapped)
{
	pthread_mutex_lock(&unwrapped->mutex);
	sweep(unwrapped);
	pthread_mutex_unlock(&unwrapped->mutex);
}
