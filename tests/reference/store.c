#include "store.h"

#include "port/pg.h"

/* The order is checked by the row that is made: one that is there already was checked then. */
static const struct pg_statement insert_entry = { "reference_insert_entry",
	"WITH before AS (SELECT max(n) AS n FROM entry WHERE tenant_id = $1 AND key = $2), "
	"made AS (INSERT INTO entry (tenant_id, key, n, event_id) VALUES ($1, $2, $3, $4) "
	"ON CONFLICT (tenant_id, key, n) DO NOTHING RETURNING n) "
	"INSERT INTO disorder (tenant_id, key, n, after_n, event_id) "
	"SELECT $1, $2, made.n, before.n, $4 FROM before, made WHERE made.n < before.n" };
static const struct pg_statement insert_note = { "reference_insert_note",
	"INSERT INTO note (tenant_id, event_id, key, n) VALUES ($1, $2, $3, $4) "
	"ON CONFLICT (tenant_id, event_id) DO NOTHING" };
static const struct pg_statement insert_charge = { "reference_insert_charge",
	"INSERT INTO charge (tenant_id, charge, amount_cents, state, provider_ref, event_id) "
	"VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant_id, charge) DO NOTHING" };
static const struct pg_statement add_count = { "reference_add_count",
	"INSERT INTO tally AS t (tenant_id, name, total) VALUES ($1, $2, $3) "
	"ON CONFLICT (tenant_id, name) DO UPDATE SET total = t.total + excluded.total" };

struct err store_commit_entry(
	struct pg *pg, const struct event *event, const struct events_entry *entry)
{
	const struct pg_arg args[] = { pg_id(event->tenant.id), pg_text(entry->key),
		pg_int(entry->n), pg_id(event->id) };

	return pg_push(pg, &insert_entry, args, 4);
}

struct err store_commit_note(
	struct pg *pg, const struct event *event, const struct events_entry *entry)
{
	const struct pg_arg args[] = { pg_id(event->tenant.id), pg_id(event->id),
		pg_text(entry->key), pg_int(entry->n) };

	return pg_push(pg, &insert_note, args, 4);
}

struct err store_commit_charge(struct pg *pg, const struct event *event,
	const struct events_charge *charge, const struct events_charge_settled *settled)
{
	const struct pg_arg args[] = { pg_id(event->tenant.id), pg_text(charge->charge),
		pg_int(charge->amount_cents), pg_text(settled->state), pg_text(settled->reference),
		pg_id(event->id) };

	return pg_push(pg, &insert_charge, args, 6);
}

struct err store_commit_count(
	struct pg *pg, const struct event *event, const struct events_count *count)
{
	const struct pg_arg args[] = { pg_id(event->tenant.id), pg_text(count->name),
		pg_int(count->n) };

	return pg_push(pg, &add_count, args, 3);
}
