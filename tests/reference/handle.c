#include "handle.h"

#include "frame/effect.h"
#include "events.h"
#include "fault.h"
#include "reference.h"
#include "store.h"

/* A charge on its way through the steps; lives in the message's arena. */
struct attempt {
	struct effect_key key;
	struct effect_view view;
	struct gateway_answer answer;
};

static struct err emit(struct scope *scope, const struct codec_type *type, const void *payload,
	const char *ordering_key)
{
	char id[ID_TEXT_BYTES];

	id_format(scope->event->id, id);
	const struct str parts[] = { str_of(id), str_of(type->name) };
	const struct outbox_event event = { .topic = TOPIC_INTAKE_EVENTS,
		.id = outbox_id(parts, 2),
		.type = type,
		.payload = payload,
		.tenant = scope->event->tenant,
		.ordering_key = ordering_key,
		.sink = CODEC_TO_TOPIC };

	return outbox_emit(scope->outbox, &event);
}

static struct err suffer(struct scope *scope, const char *behave, enum fault_moment moment)
{
	const struct reference *reference = scope->state;

	return fault_happen(reference->faults, scope->event->id, behave, moment);
}

struct err handle_entry_requested(struct scope *scope, const void *payload)
{
	const struct events_entry *entry = payload;
	const struct events_entry_made made = { entry->key, entry->n };
	const struct reference *reference = scope->state;

	TRY(suffer(scope, entry->behave, FAULT_FIRST));
	if (reference->conf->delay_ms > 0)
		fault_sleep(reference->conf->delay_ms);
	TRY(store_commit_entry(scope->pg, scope->event, entry));
	return emit(scope, &events_entry_was_made, &made, scope->event->ordering_key);
}

/* The least a handler does: a row and an event. */
struct err handle_note_requested(struct scope *scope, const void *payload)
{
	const struct events_entry *entry = payload;
	const struct events_entry_made made = { entry->key, entry->n };

	TRY(store_commit_note(scope->pg, scope->event, entry));
	return emit(scope, &events_entry_was_made, &made, scope->event->ordering_key);
}

struct err handle_count_requested(struct scope *scope, const void *payload)
{
	const struct events_count *count = payload;
	const struct events_count_made made = { count->name, count->n };

	TRY(suffer(scope, count->behave, FAULT_FIRST));
	TRY(store_commit_count(scope->pg, scope->event, count));
	return emit(scope, &events_count_was_made, &made, scope->event->ordering_key);
}

/* --- charges --- */

struct err handle_charge_claimed(struct scope *scope, const void *payload)
{
	const struct events_charge *charge = payload;
	struct attempt *attempt = arena_alloc(scope->arena, sizeof *attempt);
	char *request = arena_printf(scope->arena, "%s|%s|%lld", charge->charge, charge->account,
		(long long)charge->amount_cents);

	if (attempt == NULL || request == NULL)
		return arena_overflow();
	attempt->key = (struct effect_key){ .tenant = scope->event->tenant,
		.kind = "charge",
		.key = charge->charge,
		.request = str_of(request),
		.doubt_ms = scope->doubt_ms };
	scope->user = attempt;
	return effect_begin(scope->pg, scope->arena, &attempt->key, &attempt->view);
}

struct err handle_charge_work(struct scope *scope, const void *payload)
{
	const struct reference *reference = scope->state;
	const struct events_charge *charge = payload;
	struct attempt *attempt = scope->user;
	bool call = attempt->view.task == EFFECT_CALL;

	if (attempt->view.task == EFFECT_OVER) {
		attempt->answer =
			(struct gateway_answer){ attempt->view.state, attempt->view.reference };
		return err_ok();
	}
	attempt->answer.state = call ? EFFECT_INTENT : EFFECT_UNKNOWN; /* if we do not get there */
	TRY(suffer(scope, charge->behave, FAULT_FIRST));
	TRY((call ? gateway_charge : gateway_ask)(
		&reference->gateway, scope->arena, charge, &attempt->answer));
	return call ? suffer(scope, charge->behave, FAULT_AFTER_CALL) : err_ok();
}

struct err handle_charge_failed(struct scope *scope, const void *payload)
{
	struct attempt *attempt = scope->user;

	(void)payload;
	return effect_end(scope->pg, scope->arena, &attempt->key, attempt->answer.state, NULL);
}

struct err handle_charge_requested(struct scope *scope, const void *payload)
{
	const struct events_charge *charge = payload;
	const struct attempt *attempt = scope->user;
	const struct gateway_answer *answer = &attempt->answer;
	const struct events_charge_settled settled = { charge->charge,
		effect_state_name(answer->state), answer->reference };

	if (attempt->view.task != EFFECT_OVER)
		TRY(effect_end(
			scope->pg, scope->arena, &attempt->key, answer->state, answer->reference));
	TRY(store_commit_charge(scope->pg, scope->event, charge, &settled));
	return emit(scope, &events_charge_was_settled, &settled, charge->account);
}
