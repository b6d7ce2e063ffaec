#include "api/deadletters_store.h"

#include <string.h>

#include "base/clock.h"
#include "frame/operation.h"
#include "port/digest.h"
#include "port/pg.h"

/* Each view shows the transaction's tenant alone; $1 is the same tenant, for the index. */
#define SELECT_OF(service, where)                                                                  \
	"(SELECT '" service "' AS service, v.* FROM " service                                      \
	".v1_dead_letters AS v WHERE v.tenant_id = $1 AND " where ")"
#define SELECT_ALL(where)                                                                          \
	"SELECT id, service, topic, state, event_id, ordering_key, error_class, error_code,"       \
	" error_message, attempts, redrives, blocks, first_failed_at, created_at, updated_at,"     \
	" (extract(epoch FROM created_at) * 1000000)::bigint FROM (" SELECT_OF("intake",           \
		where) " UNION ALL " SELECT_OF("ocr", where) " UNION ALL " SELECT_OF("audit",      \
		where) " UNION ALL " SELECT_OF("outreach", where) ") AS l"
#define NEWEST " ORDER BY created_at DESC, id DESC LIMIT $4::int"
#define PAGE                                                                                       \
	"(v.created_at, v.id) < ('epoch'::timestamptz + $2::bigint * interval '1 microsecond',"    \
	" $3::uuid) AND ($5::text IS NULL OR v.state = $5)"                                        \
	" AND ($6::text IS NULL OR v.error_class = $6)" NEWEST
enum { CREATED_US = 15 };

static const struct pg_statement select_list = { "deadletters_list", SELECT_ALL(PAGE) NEWEST };
static const struct pg_statement select_one = { "deadletters_get", SELECT_ALL("v.id = $2") };
static const struct pg_statement select_key = { "deadletters_key",
	"SELECT 'uk_' || key_id FROM intake.api_keys WHERE tenant_id = $1 AND key_hash = $2" };

#define DECIDE(service, verb)                                                                      \
	"SELECT outcome FROM " service ".tenant_" verb "(ARRAY[$1::uuid], $2::text)"

/* Whose functions decide; the tenant is not said to them, they look whose transaction it is. */
static const struct {
	const char *service;
	struct pg_statement redrive, discard;
} deciders[] = {
	{ "intake", { "deadletters_redrive_intake", DECIDE("intake", "redrive") },
		{ "deadletters_discard_intake", DECIDE("intake", "discard") } },
	{ "ocr", { "deadletters_redrive_ocr", DECIDE("ocr", "redrive") },
		{ "deadletters_discard_ocr", DECIDE("ocr", "discard") } },
	{ "audit", { "deadletters_redrive_audit", DECIDE("audit", "redrive") },
		{ "deadletters_discard_audit", DECIDE("audit", "discard") } },
	{ "outreach", { "deadletters_redrive_outreach", DECIDE("outreach", "redrive") },
		{ "deadletters_discard_outreach", DECIDE("outreach", "discard") } },
};

static struct deadletters_view letter_of(const struct pg_rows *rows, size_t row)
{
	return (struct deadletters_view){
		.id = pg_get_id(rows, row, 0),
		.service = pg_get_text(rows, row, 1),
		.topic = pg_get_text(rows, row, 2),
		.state = pg_get_text(rows, row, 3),
		.event_id = pg_get_id(rows, row, 4),
		.ordering_key = pg_get_text(rows, row, 5),
		.error = { pg_get_text(rows, row, 6), pg_get_text(rows, row, 7),
			pg_get_text(rows, row, 8) },
		.attempts = pg_get_int(rows, row, 9),
		.redrives = pg_get_int(rows, row, 10),
		.blocks = pg_get_int(rows, row, 11) != 0,
		.times = { pg_is_null(rows, row, 12) ? CODEC_NO_INT : pg_get_time(rows, row, 12),
			pg_get_time(rows, row, 13), pg_get_time(rows, row, 14) },
	};
}

struct err deadletters_store_list(struct pg *pg, struct arena *arena,
	const struct deadletters_store_page *page, struct deadletters_store_list *ret_list)
{
	const struct pg_arg args[] = { pg_id(page->tenant.id), pg_int(page->after.created_us),
		pg_id(page->after.job_id), pg_int(page->limit), pg_text(page->state),
		pg_text(page->class) };
	const struct pg_rows *rows;

	TRY(pg_query(pg, arena, &select_list, args, 6, &rows));
	struct deadletters_store_list list = { .count = pg_count(rows) };
	list.letters = arena_alloc(arena, (list.count + 1) * sizeof *list.letters);
	list.created_us = arena_alloc(arena, (list.count + 1) * sizeof *list.created_us);
	if (list.letters == NULL || list.created_us == NULL)
		return arena_overflow();
	for (size_t i = 0; i < list.count; i++) {
		list.letters[i] = letter_of(rows, i);
		list.created_us[i] = pg_get_int(rows, i, CREATED_US);
	}
	*ret_list = list;
	return err_ok();
}

static struct err no_such_letter(void)
{
	return err_reject(ERR_CODE_NOT_FOUND, "there is no such dead letter");
}

struct err deadletters_store_get(struct pg *pg, struct arena *arena, struct tenant tenant,
	struct id id, struct deadletters_view *ret_letter)
{
	const struct pg_arg args[] = { pg_id(tenant.id), pg_id(id) };
	const struct pg_rows *rows;

	TRY(pg_query(pg, arena, &select_one, args, 2, &rows));
	if (pg_count(rows) == 0)
		return no_such_letter();
	*ret_letter = letter_of(rows, 0);
	return err_ok();
}

/* --- decisions --- */

static struct err find_actor(struct pg *pg, struct arena *arena,
	const struct deadletters_store_decision *decision, const char **ret_actor)
{
	const struct pg_arg args[] = { pg_id(decision->tenant.id),
		pg_bytes((struct str){ (const char *)decision->key_hash, DIGEST_BYTES }) };
	const struct pg_rows *rows;

	TRY(pg_query(pg, arena, &select_key, args, 2, &rows));
	*ret_actor = pg_count(rows) == 0 ? "api" : pg_get_text(rows, 0, 0);
	return err_ok();
}

static struct err decide(struct pg *pg, struct arena *arena, const char *service,
	const struct deadletters_store_decision *decision, const char *actor)
{
	const struct pg_arg args[] = { pg_id(decision->id), pg_text(actor) };
	const struct pg_rows *rows;
	size_t i = 0;

	while (strcmp(deciders[i].service, service) != 0)
		i++;
	TRY(pg_query(pg, arena, decision->discard ? &deciders[i].discard : &deciders[i].redrive,
		args, 2, &rows));
	if (pg_count(rows) == 0)
		return no_such_letter();
	return strcmp(pg_get_text(rows, 0, 0), "done") == 0
		       ? err_ok()
		       : err_reject(ERR_CODE_NOT_OPEN, "it was redriven or discarded before");
}

static struct err tell(struct arena *arena, struct outbox *outbox, const char *service,
	const struct deadletters_store_decision *decision, const char *actor)
{
	char id[ID_TEXT_BYTES];

	id_format(decision->id, id);
	const char *object = arena_printf(arena, "dead letter %s of %s", id, service);
	if (object == NULL)
		return arena_overflow();
	outbox_set_origin(outbox, decision->traceparent, decision->slug);
	/* decided once, by the transaction that says so: a fresh id is enough */
	return operation_emit(outbox, &(struct operation){ .id = id_v7(),
					      .tenant = decision->tenant,
					      .actor = actor,
					      .action = decision->discard ? "dead_letter.discarded"
									  : "dead_letter.redriven",
					      .object = object,
					      .reason = "asked for by the API",
					      .occurred_at = clock_wall_ms(),
					      .count = CODEC_NO_INT });
}

struct err deadletters_store_decide(struct pg *pg, struct arena *arena,
	const struct deadletters_store_decision *decision, const struct outbox_conf *conf)
{
	struct outbox *outbox = outbox_new(arena, conf);
	struct deadletters_view letter;
	const char *actor;

	if (outbox == NULL)
		return arena_overflow();
	TRY(pg_begin(pg));
	TRY(pg_set_tenant(pg, decision->tenant));
	TRY(find_actor(pg, arena, decision, &actor));
	TRY(deadletters_store_get(pg, arena, decision->tenant, decision->id, &letter));
	TRY(decide(pg, arena, letter.service, decision, actor));
	TRY(tell(arena, outbox, letter.service, decision, actor));
	TRY(outbox_flush(outbox, pg));
	return pg_commit(pg);
}
