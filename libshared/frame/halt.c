#include "frame/halt.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "port/pg.h"

struct entry {
	struct tenant tenant;
	enum tenant_state state;
	int64_t since_ms;
};

struct halt {
	pthread_rwlock_t lock;
	struct entry *entries; /* sorted by tenant */
	_Atomic size_t count;  /* read without the lock: mostly it is 0 */
	int64_t asked_ms;
	bool ignore;
};

/* 65,536 = HALT_TENANTS_MAX */
static const struct pg_statement load = { "halt_load",
	"SELECT tenant_id, state, "
	"(extract(epoch FROM clock_timestamp() - state_at) * 1000)::bigint FROM intake.v1_tenants "
	"WHERE state <> 'active' "
	"ORDER BY state = 'erased', state_at DESC LIMIT 65536" };
/* 5,000 = HALT_RELEASE_MAX. One probe a tenant that has such rows, however many he has. */
static const struct pg_statement release = { "halt_release",
	"WITH RECURSIVE waiting AS ("
	"(SELECT tenant_id FROM parked WHERE reason = 'suspended' AND due_at = 'infinity' "
	"ORDER BY tenant_id LIMIT 1) UNION ALL "
	"SELECT n.tenant_id FROM waiting AS w CROSS JOIN LATERAL (SELECT tenant_id FROM parked "
	"WHERE reason = 'suspended' AND due_at = 'infinity' AND tenant_id > w.tenant_id "
	"ORDER BY tenant_id LIMIT 1) AS n), "
	"free AS (SELECT w.tenant_id FROM waiting AS w JOIN intake.v1_tenants AS t "
	"ON t.tenant_id = w.tenant_id WHERE t.state = 'active'), "
	"chosen AS (SELECT p.id FROM free AS f CROSS JOIN LATERAL (SELECT id FROM parked "
	"WHERE reason = 'suspended' AND due_at = 'infinity' AND tenant_id = f.tenant_id "
	"ORDER BY id LIMIT 5000) AS p LIMIT 5000), "
	"released AS (UPDATE parked SET due_at = now() WHERE id = ANY (ARRAY(SELECT id FROM "
	"chosen)) AND reason = 'suspended' RETURNING 1) SELECT count(*) FROM released" };

struct halt *halt_new(bool ignore)
{
	struct halt *halt = calloc(1, sizeof *halt);

	if (halt == NULL)
		return NULL;
	pthread_rwlock_init(&halt->lock, NULL);
	halt->ignore = ignore;
	halt->asked_ms = -HALT_TURN_MS;
	return halt;
}

void halt_free(struct halt *halt)
{
	if (halt == NULL)
		return;
	pthread_rwlock_destroy(&halt->lock);
	free(halt->entries);
	free(halt);
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct tenant));
}

enum tenant_state halt_state(struct halt *halt, struct tenant tenant)
{
	const struct entry wanted = { .tenant = tenant };
	enum tenant_state state = TENANT_ACTIVE;

	if (halt->count == 0 || halt->ignore)
		return state;
	pthread_rwlock_rdlock(&halt->lock);
	const struct entry *found = halt->count == 0 ? NULL
						     : bsearch(&wanted, halt->entries, halt->count,
							       sizeof wanted, compare);
	if (found != NULL)
		state = found->state;
	pthread_rwlock_unlock(&halt->lock);
	return state;
}

size_t halt_list(
	struct halt *halt, enum tenant_state state, struct halt_tenant *ret_tenants, size_t max)
{
	size_t found = 0;

	if (halt->count == 0)
		return 0;
	pthread_rwlock_rdlock(&halt->lock);
	for (size_t i = 0; i < halt->count && found < max; i++)
		if (halt->entries[i].state == state)
			ret_tenants[found++] = (struct halt_tenant){ halt->entries[i].tenant,
				halt->entries[i].since_ms };
	pthread_rwlock_unlock(&halt->lock);
	return found;
}

int64_t halt_longest_ms(struct halt *halt, enum tenant_state state)
{
	int64_t longest_ms = 0;

	if (halt->count == 0)
		return 0;
	pthread_rwlock_rdlock(&halt->lock);
	for (size_t i = 0; i < halt->count; i++)
		if (halt->entries[i].state == state && halt->entries[i].since_ms > longest_ms)
			longest_ms = halt->entries[i].since_ms;
	pthread_rwlock_unlock(&halt->lock);
	return longest_ms;
}

/* A state that a newer version made is none of ours to handle records in. */
static enum tenant_state state_of(const struct pg_rows *rows, size_t row)
{
	enum tenant_state state = TENANT_SUSPENDED;

	(void)tenant_state_parse(str_of(pg_get_text(rows, row, 1)), &state);
	return state;
}

struct err halt_turn(struct halt *halt, struct pg *pg, struct arena *arena)
{
	const struct pg_rows *rows;
	int64_t now_ms = clock_mono_ms();

	if (now_ms - halt->asked_ms < HALT_TURN_MS)
		return err_ok();
	halt->asked_ms = now_ms;
	arena_reset(arena);
	TRY(pg_query(pg, arena, &load, NULL, 0, &rows));
	size_t count = pg_count(rows);
	struct entry *fresh = calloc(count + 1, sizeof *fresh);
	if (fresh == NULL)
		return err_retry(ERR_CODE_OUT_OF_MEMORY, "no memory for the halted tenants");
	for (size_t i = 0; i < count; i++)
		fresh[i] = (struct entry){ { pg_get_id(rows, i, 0) }, state_of(rows, i),
			pg_get_int(rows, i, 2) };
	qsort(fresh, count, sizeof *fresh, compare);
	pthread_rwlock_wrlock(&halt->lock);
	struct entry *old = halt->entries;
	halt->entries = fresh;
	halt->count = count;
	pthread_rwlock_unlock(&halt->lock);
	free(old);
	return err_ok();
}

struct err halt_release(struct pg *pg, struct arena *arena, size_t *ret_count)
{
	const struct pg_rows *rows;

	arena_reset(arena);
	TRY(pg_query(pg, arena, &release, NULL, 0, &rows));
	*ret_count = (size_t)pg_get_int(rows, 0, 0);
	return err_ok();
}
