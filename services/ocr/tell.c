#include "tell.h"

#include "base/log.h"
#include "frame/service.h"

#include "document.h"
#include "ocr.h"

void tell_begin(const struct tell *tell, enum otlp_kind kind, struct span *ret_span)
{
	span_begin(service_spans(tell->ocr->service), kind, str_of(tell->event->traceparent),
		ret_span);
}

/* The address is a capability: of the call only that it was one, and what came of it. */
void tell_fetched(struct span *span, int status, struct err e)
{
	span_add_text(span, OTLP_HTTP_METHOD, "GET");
	if (status != 0)
		span_add_number(span, OTLP_HTTP_STATUS, status);
	if (e.kind != ERR_OK)
		span_fail(span, err_code_name(e.code));
	span_end(span, "GET", NULL);
}

void tell_stored(struct span *span, struct err e)
{
	span_add_text(span, OTLP_DB_SYSTEM, "redis");
	span_add_text(span, OTLP_DB_OPERATION, "SET");
	if (e.kind != ERR_OK)
		span_fail(span, err_code_name(e.code));
	span_end(span, "SET", NULL);
}

void tell_read(const struct tell *tell, struct span *span, unsigned pages, enum err_code outcome)
{
	char id[ID_TEXT_BYTES];

	id_format(tell->job_id, id);
	span_add_text(span, OTLP_JOB, id);
	if (pages > 0)
		span_add_number(span, OTLP_PAGES, pages);
	if (outcome == ERR_CODE_NONE)
		span_add_text(span, OTLP_OUTCOME, "completed");
	else
		span_fail(span, err_code_name(outcome));
	span_end(span, "read document", NULL);
}

/* A page that a child recognised, which has just answered; a text layer has no child of its own. */
static void add_span(const struct span *reading, const struct document_page *page, char *ret_id)
{
	struct span span;

	span_begin_in(reading, OTLP_INTERNAL, &span);
	span_format_id(&span, ret_id);
	span_backdate(&span, page->time_ms);
	span_add_number(&span, OTLP_PAGE, page->number);
	span_add_number(&span, OTLP_PAGE_CONFIDENCE, (int64_t)page->confidence);
	span_end(&span, "recognise page", NULL);
}

static const char *trace_of(const struct tell *tell, char *text)
{
	struct trace trace;

	if (!trace_parse(str_of(tell->event->traceparent), &trace))
		return "";
	trace_format_id(trace, text);
	return text;
}

void tell_page(
	const struct tell *tell, const struct span *reading, const struct document_page *page)
{
	const bool recognised = page->source == DOCUMENT_SOURCE_OCR;
	char job[ID_TEXT_BYTES], trace[TRACE_ID_TEXT_BYTES], span[SPAN_ID_TEXT_BYTES];

	id_format(tell->job_id, job);
	if (recognised)
		add_span(reading, page, span);
	else
		span_format_id(reading, span);
	LOG(LOG_INFO, "ocr.page.completed", LOG_TEXT("tenant", tell->event->slug),
		LOG_TEXT("job_id", job), LOG_INT("page", page->number),
		LOG_TEXT("source", recognised ? "ocr" : "text"),
		LOG_INT("confidence", page->confidence), LOG_INT("processing_ms", page->time_ms),
		LOG_TEXT("trace_id", trace_of(tell, trace)), LOG_TEXT("span_id", span));
}

void tell_end(const struct tell *tell, const char *outcome, int64_t processing_ms)
{
	char job[ID_TEXT_BYTES], trace[TRACE_ID_TEXT_BYTES];

	id_format(tell->job_id, job);
	LOG(LOG_INFO, "ocr.document.ended", LOG_TEXT("tenant", tell->event->slug),
		LOG_TEXT("job_id", job), LOG_TEXT("outcome", outcome),
		LOG_INT("processing_ms", processing_ms),
		LOG_TEXT("trace_id", trace_of(tell, trace)));
}
