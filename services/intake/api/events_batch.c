#include "api/events_batch.h"

#include "model/codec.h"

enum {
	LIST_BYTES = FOREIGN_ITEMS_MAX * (sizeof(struct str) + sizeof(struct id)) + 1024,
	OUTCOMES_BYTES = 2 << 20,
};

void events_batch_init(struct events_batch *batch)
{
	*batch = (struct events_batch){ .outcomes = BUF(OUTCOMES_BYTES) };
}

void events_batch_done(struct events_batch *batch)
{
	arena_free(batch->arena);
	batch->arena = NULL;
	buf_done(&batch->outcomes);
}

static struct err split(struct events_batch *batch)
{
	struct err memory = err_retry(ERR_CODE_OVERLOADED, "no memory for a request");

	batch->arena = arena_new(LIST_BYTES);
	if (batch->arena == NULL)
		return memory;
	TRY(foreign_split(batch->request.body, batch->arena, &batch->items));
	if (batch->items.count == 0)
		return err_reject(ERR_CODE_BAD_REQUEST, "no events");
	if (batch->items.count == 1 && batch->items.items[0].len == 0)
		return err_reject(ERR_CODE_BAD_REQUEST, "no event");
	batch->ids = arena_alloc(batch->arena, batch->items.count * sizeof *batch->ids);
	return batch->ids == NULL ? memory : err_ok();
}

/* An event without an id has the request's key and its place in the request. */
static struct err give_id(const struct events_batch *batch, struct arena *arena, const char **id)
{
	const char *key = batch->request.idempotency_key;

	if (*id != NULL)
		return err_ok();
	if (key[0] == '\0')
		return err_reject(
			ERR_CODE_BAD_RECORD, "no id, and the request has no Idempotency-Key");
	*id = arena_printf(arena, "%s/%zu", key, batch->at);
	return *id == NULL ? arena_overflow() : err_ok();
}

static struct err read_item(const struct events_batch *batch, int64_t now_ms, struct arena *arena,
	struct partner_event *ret_event)
{
	const struct events_batch_request *request = &batch->request;
	struct foreign foreign;

	TRY(foreign_read_json(batch->items.items[batch->at], arena, &foreign));
	TRY(give_id(batch, arena, &foreign.id));
	if (foreign.traceparent == NULL && request->traceparent[0] != '\0')
		foreign.traceparent = request->traceparent;
	return partner_map(request->space, &foreign, &request->from, now_ms, arena, ret_event);
}

static void add_outcome(struct events_batch *batch, struct err e, const struct id *id)
{
	struct buf *out = &batch->outcomes;
	char text[ID_TEXT_BYTES];

	buf_addf(out, "%s{\"index\":%zu,", batch->at == 0 ? "" : ",", batch->at);
	if (e.kind == ERR_OK) {
		id_format(*id, text);
		buf_addf(out, "\"id\":\"%s\",\"status\":\"accepted\"}", text);
		return;
	}
	buf_addf(out, "\"status\":\"refused\",\"code\":\"%s\",\"detail\":", err_code_name(e.code));
	codec_quote(str_of(e.msg[0] == '\0' ? err_code_title(e.code) : e.msg), out);
	buf_add_str(out, STR("}"));
}

struct err events_batch_next(struct events_batch *batch, int64_t now_ms, struct arena *arena,
	struct ingest_item *ret_item)
{
	struct partner_event event;

	if (batch->arena == NULL)
		TRY(split(batch));
	if (batch->at == batch->items.count) {
		ret_item->kind = INGEST_END;
		return err_ok();
	}
	struct err e = read_item(batch, now_ms, arena, &event);
	if (e.kind != ERR_OK && e.kind != ERR_REJECT)
		return err_retry(ERR_CODE_OVERLOADED, "no memory for a request");
	add_outcome(batch, e, &event.id);
	batch->at++;
	ret_item->kind = e.kind == ERR_OK ? INGEST_RECORD : INGEST_NOTHING;
	if (e.kind == ERR_OK) {
		batch->ids[batch->accepted++] = event.id;
		ret_item->record = event.record;
	}
	return err_ok();
}

void events_batch_write(const struct events_batch *batch, struct buf *out)
{
	buf_addf(out, "\"accepted\":%zu,\"refused\":%zu,\"items\":[", batch->accepted,
		batch->at - batch->accepted);
	buf_add_str(out, buf_str(&batch->outcomes));
	buf_add_str(out, STR("]"));
}
