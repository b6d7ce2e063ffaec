#include "partner/map.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "model/envelope.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define TRACE	     "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
#define CHARGE                                                                                     \
	"{\"charge_id\":\"c-1\",\"kind\":\"pix\",\"amount_cents\":100,\"due_date\":\"2026-12-"     \
	"31\"}"

enum { ARENA = 1 << 20 };

static const struct topic_space space = { "x.", 12, 12 };

static struct partner_sender sender(void)
{
	struct partner_sender from = { .partner = "acme", .slug = "alfa" };

	ck_assert(id_parse(STR("018f4d3a-7b1c-7000-8000-0123456789ab"), &from.tenant.id));
	return from;
}

static struct foreign foreign(void)
{
	return (struct foreign){ .id = "order-42",
		.type = "partner.charge.requested.v1",
		.time_ms = CODEC_NO_INT,
		.data = STR(CHARGE) };
}

static struct err map(const struct foreign *given, struct arena *arena, struct partner_event *ret)
{
	const struct partner_sender from = sender();

	return partner_map(&space, given, &from, INT64_C(1768559400000), arena, ret);
}

static void expect_header(const struct partner_event *event, const char *name, const char *value)
{
	struct str found = envelope_find(&event->record.headers, name);

	ck_assert_msg(value == NULL ? found.ptr == NULL : str_eq(found, str_of(value)),
		"%s is %.*s", name, (int)found.len, found.ptr);
}

START_TEST(the_least_becomes_an_event)
{
	struct arena *arena = arena_new(ARENA);
	struct foreign given = foreign();
	struct partner_event event;
	struct event read;

	ck_assert_int_eq(map(&given, arena, &event).kind, ERR_OK);
	ck_assert_str_eq(event.record.topic, "x.intake.events");
	ck_assert(str_eq(event.record.key, STR("018f4d3a-7b1c-7000-8000-0123456789ab")));
	ck_assert(str_eq(event.record.value, STR(CHARGE)));
	ck_assert_int_eq(event.record.partition,
		topic_partition_of(&space, TOPIC_INTAKE_EVENTS, sender().tenant, STR("order")));
	/* as computed with Python's uuid, see frame/foreign_id.h */
	expect_header(&event, "ce_id", "3166d672-5cc0-54f9-abf5-c0c569644a86");
	expect_header(&event, "ce_type", "partner.charge.requested.v1");
	expect_header(&event, "ce_source", "/partners/acme");
	expect_header(&event, "ce_time", "2026-01-16T10:30:00.000Z");
	expect_header(&event, "ce_partitionkey", "018f4d3a-7b1c-7000-8000-0123456789ab");
	expect_header(&event, "ce_tenantslug", "alfa");
	expect_header(&event, "ce_dataschema", "urn:esteira:schema:partner.charge.requested.v1");
	expect_header(&event, "traceparent", NULL);
	/* and the suite's own reader takes it */
	ck_assert_int_eq(envelope_read(&event.record.headers, event.record.key, event.record.value,
				 arena, &read)
				 .kind,
		ERR_OK);
	ck_assert(id_eq(read.id, event.id));
	ck_assert_str_eq(read.slug, "alfa");
	arena_free(arena);
}
END_TEST

START_TEST(what_the_sender_names_counts)
{
	struct arena *arena = arena_new(ARENA);
	struct foreign given = foreign();
	struct partner_event event;

	given.source = "urn:acme:erp:s\xc3\xa3o-paulo";
	given.id = "a\xc3\xa7\xc3\xa3o 7";
	given.subject = "alfa";
	given.time_ms = 1;
	given.partitionkey = "order";
	given.traceparent = TRACE;
	given.dataschema = "urn:acme:order";
	ck_assert_int_eq(map(&given, arena, &event).kind, ERR_OK);
	expect_header(&event, "ce_id", "5c51d728-2daf-514d-8707-c438aa9cd1eb");
	expect_header(&event, "ce_source", "/partners/acme");
	expect_header(&event, "ce_time", "1970-01-01T00:00:00.001Z");
	expect_header(&event, "ce_partitionkey", "order");
	expect_header(&event, "traceparent", TRACE);
	expect_header(&event, "ce_dataschema", "urn:esteira:schema:partner.charge.requested.v1");
	given.time_ms = 0;
	given.traceparent = "not a trace";
	ck_assert_int_eq(map(&given, arena, &event).kind, ERR_OK);
	expect_header(&event, "traceparent", NULL);
	expect_header(&event, "ce_time", "1970-01-01T00:00:00.000Z");
	arena_free(arena);
}
END_TEST

static const struct {
	const char *id, *type, *subject, *data;
	enum err_code code;
	const char *word;
} refused[] = {
	{ NULL, "partner.charge.requested.v1", NULL, CHARGE, ERR_CODE_BAD_RECORD, "id" },
	{ "1", "partner.charge.requested.v1", "beta", CHARGE, ERR_CODE_TENANT_MISMATCH, "subject" },
	{ "1", "partner.charge.requested.v2", NULL, CHARGE, ERR_CODE_UNKNOWN_TYPE,
		"partner.charge.requested.v2" },
	{ "1", "intake.document.completed.v1", NULL, CHARGE, ERR_CODE_UNKNOWN_TYPE, "may send" },
	{ "1", "partner.charge.requested.v1", NULL, "{}", ERR_CODE_BAD_RECORD, "charge_id" },
	{ "1", "partner.charge.requested.v1", NULL, "[]", ERR_CODE_BAD_RECORD, "not an object" },
	{ "1", "partner.payment.received.v1", NULL, CHARGE, ERR_CODE_BAD_RECORD, "payment_id" },
};

START_TEST(refusals_name_what_is_wrong)
{
	struct arena *arena = arena_new(ARENA);

	for (size_t i = 0; i < COUNT(refused); i++) {
		const struct foreign given = { .id = refused[i].id,
			.type = refused[i].type,
			.subject = refused[i].subject,
			.data = str_of(refused[i].data) };
		struct partner_event event, before;
		memset(&event, 7, sizeof event);
		memcpy(&before, &event, sizeof event);
		struct err e = map(&given, arena, &event);
		ck_assert_msg(
			e.kind == ERR_REJECT && e.code == refused[i].code, "row %zu: %s", i, e.msg);
		ck_assert_msg(strstr(e.msg, refused[i].word) != NULL, "row %zu: %s", i, e.msg);
		ck_assert(memcmp(&event, &before, sizeof event) == 0);
	}
	arena_free(arena);
}
END_TEST

/* Found by the first event that went through: the sender's texts were on a stack that was gone. */
START_TEST(nothing_of_the_sender_is_borrowed)
{
	struct arena *arena = arena_new(ARENA);
	struct foreign given = foreign();
	char partner[] = "acme", slug[] = "alfa";
	struct partner_sender from = sender();
	struct partner_event event;

	from.partner = partner;
	from.slug = slug;
	ck_assert_int_eq(partner_map(&space, &given, &from, 1, arena, &event).kind, ERR_OK);
	memset(partner, 'x', sizeof partner - 1);
	memset(slug, 'x', sizeof slug - 1);
	expect_header(&event, "ce_source", "/partners/acme");
	expect_header(&event, "ce_tenantslug", "alfa");
	arena_free(arena);
}
END_TEST

START_TEST(a_full_arena_is_a_refusal)
{
	struct foreign given = foreign();
	size_t bytes = 64;
	struct err e;

	do {
		struct arena *arena = arena_new(bytes);
		struct partner_event event;
		e = map(&given, arena, &event);
		ck_assert(e.kind == ERR_OK || e.kind == ERR_REJECT);
		arena_free(arena);
		bytes += 64;
	} while (e.kind != ERR_OK);
	ck_assert_uint_gt(bytes, 256);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("map");
	TCase *tcase = tcase_create("map");

	tcase_add_test(tcase, the_least_becomes_an_event);
	tcase_add_test(tcase, what_the_sender_names_counts);
	tcase_add_test(tcase, refusals_name_what_is_wrong);
	tcase_add_test(tcase, nothing_of_the_sender_is_borrowed);
	tcase_add_test(tcase, a_full_arena_is_a_refusal);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
