#include "frame/span_kafka.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "frame/execute.h"
#include "frame/span.h"
#include "frame/spans.h"
#include "frame/transact.h"
#include "port/kafka.h"

#define TRACE_ID "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT	 "00-" TRACE_ID "-00f067aa0ba902b7-0"

/* Stands in for frame/spans: keeps what came, and samples as it is told. */
struct spans {
	struct buf text;
	bool samples;
	int puts;
};

bool spans_samples(const struct spans *spans, const uint8_t *trace_id)
{
	(void)trace_id;
	return spans->samples;
}

void spans_put(struct spans *spans, struct str span)
{
	spans->puts++;
	buf_add_str(&spans->text, span);
}

static struct arena *arena;
static struct spans spans;

static void setup(void)
{
	arena = arena_new(1 << 20);
	spans = (struct spans){ .text = BUF(1 << 16), .samples = true };
}

static void teardown(void)
{
	buf_done(&spans.text);
	arena_free(arena);
}

static bool says(const char *part)
{
	return spans.text.ptr != NULL && strstr(spans.text.ptr, part) != NULL;
}

/* --- sending --- */

static struct kafka_record record_of(const char *topic, const char *trace)
{
	struct kafka_record record = { .topic = topic, .partition = 3 };

	envelope_add(&record.headers, "ce_id", STR("the-id"));
	envelope_add(&record.headers, "ce_type", STR("a.b.made.v1"));
	if (trace != NULL)
		envelope_add(&record.headers, "traceparent", str_of(trace));
	return record;
}

START_TEST(what_is_sent_carries_the_senders_span)
{
	struct kafka_record record = record_of("esteira.ocr.jobs", PARENT "1");
	struct span *span = span_kafka_send(&spans, arena, &record, 12);
	char id[SPAN_ID_TEXT_BYTES], wanted[80];

	ck_assert_ptr_nonnull(span);
	span_format_id(span, id);
	struct str sent = envelope_find(&record.headers, "traceparent");
	snprintf(wanted, sizeof wanted, "00-" TRACE_ID "-%s-01", id);
	ck_assert(str_eq(sent, str_of(wanted)));
	ck_assert_int_eq(spans.puts, 0); /* not before a broker has it */
	span_kafka_sent(span, record.topic);
	ck_assert_int_eq(spans.puts, 1);
	ck_assert(says("\"parentSpanId\":\"00f067aa0ba902b7\",\"name\":\"send esteira.ocr.jobs\""));
	ck_assert(says("\"kind\":4"));
	ck_assert(says("partition.id\",\"value\":{\"stringValue\":\"3\"}"));
	ck_assert(says("message.id\",\"value\":{\"stringValue\":\"the-id\"}"));
	ck_assert(says("delay_ms\",\"value\":{\"intValue\":\"12\"}"));
	span_kafka_sent(NULL, "any");
}
END_TEST

static const struct {
	const char *topic, *trace;
	bool off;
} untouched[] = {
	{ "esteira.ocr.jobs", PARENT "0", false },
	{ "esteira.ocr.jobs", "nonsense", false },
	{ "esteira.ocr.jobs", NULL, false },
	{ "esteira.ocr.jobs.ocr.dlq", PARENT "1", false }, /* headers of the dead are nobody's */
	{ "esteira.ocr.jobs", PARENT "1", true },
};

START_TEST(nothing_else_is_touched)
{
	struct kafka_record record = record_of(untouched[_i].topic, untouched[_i].trace);
	struct spans *to = untouched[_i].off ? NULL : &spans;

	ck_assert_ptr_null(span_kafka_send(to, arena, &record, 0));
	struct str left = envelope_find(&record.headers, "traceparent");
	ck_assert(str_eq(left, str_of(untouched[_i].trace)));
}
END_TEST

/* --- processing --- */

static struct partition partition = { .topic = "esteira.ocr.jobs", .number = 5 };
static struct record record;

static struct task task_of(const char *trace)
{
	record = (struct record){ .partition = &partition, .offset = 77 };
	return (struct task){ .record = &record,
		.event = { .type = "a.b.made.v1", .slug = "alfa", .traceparent = trace } };
}

static void process(struct spans *to, struct task *task)
{
	const struct execute_conf conf = { .group = "esteira.ocr", .hooks = { .spans = to } };
	const struct transact transact = { &conf, arena };

	span_kafka_process(&transact, task);
}

START_TEST(what_follows_follows_from_the_processing)
{
	struct task task = task_of(PARENT "1");
	struct trace now;

	process(&spans, &task);
	ck_assert_ptr_nonnull(task.span);
	ck_assert(trace_parse(str_of(task.event.traceparent), &now));
	ck_assert(now.sampled);
	ck_assert_mem_eq(now.span_id, task.span->trace.span_id, 8);
	ck_assert_str_ne(task.event.traceparent, PARENT "1");
	span_kafka_processed(&task, "claimed"); /* will be looked at again */
	ck_assert_int_eq(spans.puts, 0);
	span_kafka_fail(&task, err_retry(ERR_CODE_TIMEOUT, "a sentence"));
	span_kafka_fail(&task, err_retry(ERR_CODE_INTERNAL, "another"));
	span_kafka_processed(&task, "retry");
	span_kafka_processed(&task, "retry");
	ck_assert_int_eq(spans.puts, 1);
	ck_assert(says("\"name\":\"process esteira.ocr.jobs\",\"flags\":1,\"kind\":5"));
	ck_assert(says("error.type\",\"value\":{\"stringValue\":\"timeout\"}"));
	ck_assert(says("\"status\":{\"code\":2}"));
	ck_assert(says("esteira.outcome\",\"value\":{\"stringValue\":\"retry\"}"));
	ck_assert(says("esteira.tenant.id\",\"value\":{\"stringValue\":\"alfa\"}"));
	ck_assert(says("messaging.kafka.offset\",\"value\":{\"intValue\":\"77\"}"));
	ck_assert(!says("a sentence"));
}
END_TEST

START_TEST(the_decision_of_who_began_it_stands)
{
	struct task task = task_of(PARENT "0");

	process(&spans, &task);
	ck_assert_ptr_null(task.span);
	ck_assert_str_eq(task.event.traceparent, PARENT "0");
	task = task_of(PARENT "1");
	spans.samples = false; /* the ratio is for new traces alone */
	process(&spans, &task);
	ck_assert_ptr_nonnull(task.span);
}
END_TEST

START_TEST(what_has_no_trace_begins_one_by_the_ratio)
{
	struct task task = task_of(NULL);
	struct trace now;

	process(&spans, &task);
	ck_assert_ptr_nonnull(task.span);
	span_kafka_processed(&task, "done");
	ck_assert(!says("parentSpanId"));
	spans.samples = false;
	task = task_of(NULL);
	process(&spans, &task);
	ck_assert_ptr_null(task.span);
	/* and its steps do not decide anew */
	ck_assert(trace_parse(str_of(task.event.traceparent), &now));
	ck_assert(!now.sampled);
}
END_TEST

START_TEST(off_is_as_it_was)
{
	struct task task = task_of(NULL);

	process(NULL, &task);
	ck_assert_ptr_null(task.event.traceparent);
	ck_assert_ptr_null(task.span);
	span_kafka_fail(&task, err_retry(ERR_CODE_TIMEOUT, ""));
	span_kafka_processed(&task, "done");
}
END_TEST

/* --- spans of steps --- */

START_TEST(children_are_on_when_their_parent_is)
{
	struct span parent, child;

	span_begin(&spans, OTLP_INTERNAL, STR(PARENT "1"), &parent);
	span_begin_in(&parent, OTLP_INTERNAL, &child);
	ck_assert_mem_eq(child.parent_id, parent.trace.span_id, 8);
	ck_assert_mem_eq(child.trace.trace_id, parent.trace.trace_id, 16);
	span_backdate(&child, 5);
	span_end(&child, "page", NULL);
	ck_assert_int_eq(spans.puts, 1);
	for (int i = 0; i < SPAN_ATTRIBUTES_MAX + 2; i++)
		span_add_number(&parent, OTLP_PAGE, i);
	ck_assert_uint_eq(parent.count, SPAN_ATTRIBUTES_MAX);
	span_begin(&spans, OTLP_INTERNAL, STR(PARENT "0"), &parent);
	span_begin_in(&parent, OTLP_INTERNAL, &child);
	span_add_number(&child, OTLP_PAGE, 1);
	span_fail(&child, "x");
	span_end(&child, "page", NULL);
	span_end(&parent, "document", NULL);
	ck_assert_int_eq(spans.puts, 1);
}
END_TEST

START_TEST(without_a_receiver_the_ids_go_on)
{
	struct span span;
	char id[SPAN_ID_TEXT_BYTES], trace[TRACE_ID_TEXT_BYTES];

	span_begin(NULL, OTLP_SERVER, STR(PARENT "1"), &span);
	trace_format_id(span.trace, trace);
	ck_assert_str_eq(trace, TRACE_ID);
	ck_assert(span.trace.sampled);
	span_format_id(&span, id);
	ck_assert_str_eq(id, "");
	span_begin(NULL, OTLP_SERVER, STR(""), &span);
	ck_assert(span.trace.sampled); /* who has a receiver decides */
	span_end(&span, "GET", "/");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("span_kafka");
	TCase *tcase = tcase_create("span_kafka");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, what_is_sent_carries_the_senders_span);
	tcase_add_loop_test(
		tcase, nothing_else_is_touched, 0, sizeof untouched / sizeof *untouched);
	tcase_add_test(tcase, what_follows_follows_from_the_processing);
	tcase_add_test(tcase, the_decision_of_who_began_it_stands);
	tcase_add_test(tcase, what_has_no_trace_begins_one_by_the_ratio);
	tcase_add_test(tcase, off_is_as_it_was);
	tcase_add_test(tcase, children_are_on_when_their_parent_is);
	tcase_add_test(tcase, without_a_receiver_the_ids_go_on);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
