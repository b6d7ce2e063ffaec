/* The claims a process is working on; kept apart from their rows. */
#include "frame/claim.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "port/pg.h"

struct claim_set {
	pthread_mutex_t lock;
	size_t count, max;
	struct claim claims[];
};

static const struct pg_statement renew = { "claim_set_renew",
	"UPDATE claim SET lease_until = clock_timestamp() + interval '15 s' "
	"FROM unnest($2::uuid[], $3::bigint[]) AS u (id, n) "
	"WHERE owner = $1 AND event_id = u.id AND epoch = u.n" };

struct claim_set *claim_set_new(size_t max)
{
	struct claim_set *set = calloc(1, sizeof *set + max * sizeof set->claims[0]);

	if (set == NULL)
		return NULL;
	pthread_mutex_init(&set->lock, NULL);
	set->max = max;
	return set;
}

void claim_set_free(struct claim_set *set)
{
	if (set == NULL)
		return;
	pthread_mutex_destroy(&set->lock);
	free(set);
}

void claim_set_add(struct claim_set *set, const struct claim *claim)
{
	pthread_mutex_lock(&set->lock);
	assert(set->count < set->max); /* one per worker */
	set->claims[set->count++] = *claim;
	pthread_mutex_unlock(&set->lock);
}

void claim_set_remove(struct claim_set *set, const struct claim *claim)
{
	pthread_mutex_lock(&set->lock);
	for (size_t i = 0; i < set->count; i++) {
		if (id_eq(set->claims[i].event_id, claim->event_id) &&
			set->claims[i].epoch == claim->epoch) {
			set->claims[i] = set->claims[--set->count];
			break;
		}
	}
	pthread_mutex_unlock(&set->lock);
}

static struct err list(struct claim_set *set, struct pg_array *ids, struct pg_array *epochs)
{
	struct err e = err_ok();

	pthread_mutex_lock(&set->lock);
	for (size_t i = 0; i < set->count && e.kind == ERR_OK; i++) {
		e = pg_array_add(ids, pg_id(set->claims[i].event_id));
		if (e.kind == ERR_OK)
			e = pg_array_add(epochs, pg_int(set->claims[i].epoch));
	}
	pthread_mutex_unlock(&set->lock);
	return e;
}

struct err claim_set_renew(
	struct claim_set *set, struct pg *pg, struct arena *arena, const char *owner)
{
	struct pg_array *ids = pg_array_new(arena, PG_KIND_ID, set->max);
	struct pg_array *epochs = pg_array_new(arena, PG_KIND_INT, set->max);

	if (ids == NULL || epochs == NULL)
		return arena_overflow();
	TRY(list(set, ids, epochs));
	const struct pg_arg args[] = { pg_text(owner), pg_list(ids), pg_list(epochs) };
	TRY(pg_push(pg, &renew, args, 3));
	return pg_sync(pg);
}
