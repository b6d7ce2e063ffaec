#include "tenant/prove.h"

#include "frame/keyring.h"
#include "frame/service.h"
#include "intake.h"
#include "port/pg.h"
#include "tenant/store.h"

static struct err open_one(
	struct keyring *keyring, struct pg *pg, struct arena *arena, struct tenant tenant)
{
	struct keyring_row row = { .of = { tenant, 0 } };
	const struct seal_key *key;

	TRY(pg_begin(pg));
	TRY(pg_set_tenant(pg, tenant));
	TRY(keyring_find(keyring, pg, arena, &row));
	TRY(pg_commit(pg));
	return keyring_unwrap(keyring, arena, &row, &key);
}

/* One row that was damaged says nothing about the master key. */
static struct err open_any(struct keyring *keyring, struct pg *pg, struct arena *arena,
	const struct tenant_store_newest *newest)
{
	struct err e = err_ok();

	for (size_t i = 0; i < newest->count; i++) {
		e = open_one(keyring, pg, arena, newest->tenants[i]);
		if (e.kind == ERR_OK)
			break;
		pg_rollback(pg);
	}
	return e;
}

struct err prove_master(struct intake *intake, struct pg *frame, struct arena *arena)
{
	struct tenant_store_newest newest;
	const char *file = intake->conf->seal.master.file;

	arena_reset(arena);
	TRY(tenant_store_newest(frame, arena, &newest));
	struct pg *pg = pg_new(service_pg(intake->service));
	if (pg == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory to try the master key");
	struct err e = open_any(intake->keyring, pg, arena, &newest);
	pg_free(pg);
	if (err_is(e, ERR_CODE_KEYS_REFUSED) && file != NULL && *file != '\0')
		return err_fatal(ERR_CODE_BAD_CONFIG,
			"ESTEIRA_SEAL_MASTER_FILE opens the key of no tenant: it is another one; "
			"name the one before it in ESTEIRA_SEAL_MASTER_OLD_FILE");
	return e.kind == ERR_REJECT ? err_ok() : e;
}
