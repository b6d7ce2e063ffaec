#include "partner/types.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "model/envelope.h"

enum { ID_MAX = 64, WORD_MAX = 32, KIND_MAX = 16, DATE_MAX = 10, TEXT_MAX = 255, E2E_MAX = 35 };

#define CENTS_MAX INT64_C(999999999999999) /* a double still holds it, and so every JSON reader */

#define FIELD(type, member, kind, required, max)                                                   \
	CODEC_FIELD(struct type, member, CODEC_##kind, CODEC_PLAIN, required, max)
#define FILLED(name)                                                                               \
	{                                                                                          \
		name, TYPES_FILLED, NULL, 0, 0                                                     \
	}
#define CENTS(name)                                                                                \
	{                                                                                          \
		name, TYPES_RANGE, NULL, 1, CENTS_MAX                                              \
	}
#define END                                                                                        \
	{                                                                                          \
		NULL, TYPES_FILLED, NULL, 0, 0                                                     \
	}

/* --- partner.charge.requested.v1 --- */

struct charge {
	const char *charge_id, *kind;
	int64_t amount_cents;
	const char *due_date, *description;
};
static const struct codec_field charge_fields[] = {
	FIELD(charge, charge_id, TEXT, true, ID_MAX),
	FIELD(charge, kind, TEXT, true, KIND_MAX),
	FIELD(charge, amount_cents, INT, true, 0),
	FIELD(charge, due_date, TEXT, true, DATE_MAX),
	FIELD(charge, description, TEXT, false, TEXT_MAX),
	CODEC_END,
};
static const struct types_rule charge_rules[] = {
	FILLED("charge_id"),
	{ "kind", TYPES_WORD, "boleto pix", 0, 0 },
	CENTS("amount_cents"),
	{ "due_date", TYPES_DATE, NULL, 0, 0 },
	END,
};
static const struct codec_type charge_requested = { "partner.charge.requested.v1",
	sizeof(struct charge), charge_fields };

/* --- partner.payment.received.v1 --- */

struct payment {
	const char *payment_id, *charge_id;
	int64_t amount_cents, paid_at;
	const char *method, *end_to_end_id;
};
static const struct codec_field payment_fields[] = {
	FIELD(payment, payment_id, TEXT, true, ID_MAX),
	FIELD(payment, charge_id, TEXT, false, ID_MAX),
	FIELD(payment, amount_cents, INT, true, 0),
	FIELD(payment, paid_at, TIME, true, 0),
	FIELD(payment, method, TEXT, true, WORD_MAX),
	FIELD(payment, end_to_end_id, TEXT, false, E2E_MAX),
	CODEC_END,
};
static const struct types_rule payment_rules[] = {
	FILLED("payment_id"),
	FILLED("charge_id"),
	CENTS("amount_cents"),
	FILLED("method"),
	FILLED("end_to_end_id"),
	END,
};
static const struct codec_type payment_received = { "partner.payment.received.v1",
	sizeof(struct payment), payment_fields };

/* --- the table of partner types --- */

static const struct types_row rows[] = {
	{ &charge_requested, charge_rules },
	{ &payment_received, payment_rules },
};

enum { ROWS = sizeof rows / sizeof *rows };

const struct types_row *types_find(const char *type)
{
	for (size_t i = 0; i < ROWS; i++)
		if (strcmp(rows[i].codec->name, type) == 0)
			return &rows[i];
	return NULL;
}

const struct codec_type *const *types_all(void)
{
	static const struct codec_type *const all[] = { &charge_requested, &payment_received,
		NULL };

	return all;
}

/* --- rules --- */

static bool is_word(const char *words, const char *text)
{
	struct str rest = str_of(words);

	while (rest.len > 0)
		if (str_eq(str_cut(rest, ' ', &rest), str_of(text)))
			return true;
	return false;
}

static bool is_date(const char *text)
{
	char moment[DATE_MAX + sizeof "T00:00:00Z"];
	int64_t wall_ms;

	if (strlen(text) != DATE_MAX)
		return false;
	snprintf(moment, sizeof moment, "%sT00:00:00Z", text);
	return clock_parse(str_of(moment), &wall_ms);
}

/* Why a text is not what it must be, or NULL. */
static const char *judge_text(const struct types_rule *rule, const char *text)
{
	if (rule->kind == TYPES_FILLED && *text == '\0')
		return "empty";
	if (rule->kind == TYPES_WORD && !is_word(rule->words, text))
		return "not one of the words it may be";
	if (rule->kind == TYPES_DATE && !is_date(text))
		return "not a date like 2026-12-31";
	return NULL;
}

static const struct codec_field *find_field(const struct codec_type *type, const char *name)
{
	const struct codec_field *field = type->fields;

	while (strcmp(field->name, name) != 0)
		field++;
	return field;
}

/* Absent is fine: what is required the table says. */
static const char *judge(
	const struct codec_type *type, const struct types_rule *rule, const void *value)
{
	const struct codec_field *field = find_field(type, rule->field);
	const char *at = (const char *)value + field->offset, *text;
	int64_t number;

	if (field->kind == CODEC_INT) {
		memcpy(&number, at, sizeof number);
		bool absent = number == CODEC_NO_INT && !field->required;
		bool inside = number >= rule->least && number <= rule->most;
		return absent || inside ? NULL : "out of its range";
	}
	memcpy(&text, at, sizeof text);
	return text == NULL ? NULL : judge_text(rule, text);
}

static struct err check(const struct types_row *row, const void *value, struct arena *arena)
{
	for (const struct types_rule *rule = row->rules; rule->field != NULL; rule++) {
		const char *why = judge(row->codec, rule, value);
		if (why == NULL)
			continue;
		const char *msg = arena_printf(arena, "field %s: %s", rule->field, why);
		return err_reject(ERR_CODE_BAD_RECORD, msg == NULL ? why : msg);
	}
	return err_ok();
}

struct err types_rewrite(
	const struct types_row *row, struct str data, struct arena *arena, struct str *ret_json)
{
	struct buf json SCOPED(buf_done) = BUF(ENVELOPE_BYTES_MAX);
	void *value = arena_alloc(arena, row->codec->size);

	if (value == NULL)
		return arena_overflow();
	TRY(codec_read(row->codec, data, arena, value));
	TRY(check(row, value, arena));
	TRY(codec_write(row->codec, value, CODEC_TO_TOPIC, &json));
	const char *copy = arena_strdup(arena, buf_str(&json));
	if (copy == NULL)
		return arena_overflow();
	*ret_json = (struct str){ copy, json.len };
	return err_ok();
}
