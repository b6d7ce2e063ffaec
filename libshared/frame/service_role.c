#include "frame/service_role.h"

#include <unistd.h>

#include "base/log.h"
#include "frame/engine.h"
#include "port/pg.h"

enum { PROBE_US = 1000000, PROBE_BYTES = 64 << 10 };

static struct err check_one(const struct pg_conf *conf, struct arena *arena)
{
	static const struct pg_statement safe = { "service_role_is_safe", "SELECT role_is_safe()" };
	const struct pg_rows *rows;
	struct pg *pg = pg_new(conf);

	if (pg == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for a connection");
	struct err e = pg_query(pg, arena, &safe, NULL, 0, &rows);
	if (e.kind == ERR_OK && pg_get_int(rows, 0, 0) == 0)
		e = err_fatal(ERR_CODE_UNSAFE_ROLE, err_code_title(ERR_CODE_UNSAFE_ROLE));
	e = arena_keep_err(arena, e);
	pg_free(pg);
	return e;
}

static struct err check_all(const struct engine_names *names, struct arena *arena)
{
	TRY(check_one(&names->pg, arena));
	TRY(check_one(&names->frame, arena));
	return names->pooled.pooled ? check_one(&names->pooled, arena) : err_ok();
}

struct err service_role_check(const struct engine_names *names, struct arena *arena)
{
	struct arena *probe SCOPED(arena_drop) = arena_new(PROBE_BYTES);

	if (probe == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory to start with");
	for (;;) {
		struct err e = check_all(names, probe);
		if (e.kind != ERR_RETRY)
			return arena_keep_err(arena, e);
		LOG(LOG_WARN, "service.waits_for_postgres", LOG_ERR(e));
		arena_reset(probe);
		usleep(PROBE_US);
	}
}
