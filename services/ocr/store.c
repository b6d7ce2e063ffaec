#include "store.h"

#include <string.h>

#include "base/sabotage.h"
#include "port/digest.h"
#include "port/pg.h"

static const struct pg_statement load_open_job = { "store_load_open_job",
	"SELECT key_half, (extract(epoch FROM expires_at - clock_timestamp()) * 1000)::bigint,"
	" clock_timestamp() FROM intake.v1_open_jobs WHERE tenant_id = $1 AND job_id = $2" };

struct err store_load_open_job(struct pg *pg, struct arena *arena, const struct store_key *key,
	struct store_open_job *ret_job, bool *ret_open)
{
	const struct pg_rows *rows;
	struct store_key wanted = *key;
	sabotage_swap("document_half", &wanted.tenant.id);
	sabotage_swap("document_half", &wanted.job_id);
	const struct pg_arg args[] = { pg_id(wanted.tenant.id), pg_id(wanted.job_id) };

	TRY(pg_query(pg, arena, &load_open_job, args, 2, &rows));
	if (pg_count(rows) == 0) {
		*ret_open = false;
		return err_ok();
	}
	struct str half = pg_get_bytes(rows, 0, 0);
	if (half.len != sizeof ret_job->half)
		return err_fatal(ERR_CODE_INTERNAL, "a key half of another size");
	memcpy(ret_job->half, half.ptr, half.len);
	digest_wipe((char *)(uintptr_t)half.ptr, half.len); /* the row lives as long as the arena */
	ret_job->remaining_ms = pg_get_int(rows, 0, 1);
	ret_job->now_ms = pg_get_time(rows, 0, 2);
	*ret_open = true;
	return err_ok();
}
