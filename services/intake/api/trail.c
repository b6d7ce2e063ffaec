#include "api/trail.h"

#include "api/api_store.h"
#include "base/clock.h"
#include "model/codec.h"
#include "port/pg.h"
#include "port/web.h"

enum { BODY_MAX_BYTES = 4 << 20 };

struct trail {
	struct call call;
	struct id job_id;
	struct buf body;
};

static struct err parse(struct call *call)
{
	struct trail *trail = (struct trail *)call;

	trail->body = BUF(BODY_MAX_BYTES);
	if (!id_parse(web_query(call->exchange, "job_id"), &trail->job_id))
		return err_reject(ERR_CODE_BAD_PARAMETER, "job_id is not a UUID");
	return err_ok();
}

static void write_hash(const char *name, const char *hash, struct buf *out)
{
	if (hash == NULL)
		return;
	buf_addf(out, ",\"%s\":", name);
	codec_quote(str_of(hash), out);
}

static void write_entry(const struct api_store_entry *entry, struct buf *out)
{
	char when[CLOCK_TEXT_BYTES];

	clock_format(entry->occurred_at, when);
	buf_add_str(out, STR("{\"action\":"));
	codec_quote(str_of(entry->action), out);
	buf_addf(out, ",\"occurred_at\":\"%s\"", when);
	write_hash("document_hash", entry->document_hash, out);
	write_hash("result_hash", entry->result_hash, out);
	/* jsonb, so it is JSON already */
	buf_addf(out, ",\"metadata\":%s}", entry->metadata == NULL ? "{}" : entry->metadata);
}

static struct err run(struct call *call, struct pg *pg, struct arena *arena)
{
	struct trail *trail = (struct trail *)call;
	const struct tenant tenant = call->from.who.tenant;
	struct api_store_trail rows;

	TRY(api_store_begin(pg, tenant));
	TRY(api_store_trail(pg, arena, tenant, trail->job_id, &rows));
	TRY(pg_commit(pg));
	buf_add_str(&trail->body, STR("{\"entries\":["));
	for (size_t i = 0; i < rows.count; i++) {
		buf_add_str(&trail->body, i == 0 ? STR("") : STR(","));
		write_entry(&rows.entries[i], &trail->body);
	}
	buf_add_str(&trail->body, STR("]}"));
	return err_ok();
}

static void reply(struct call *call)
{
	call_reply_json(call->exchange, 200, NULL, &((struct trail *)call)->body);
}

static void drop(struct call *call)
{
	buf_done(&((struct trail *)call)->body);
}

const struct call_route trail_get = {
	.size = sizeof(struct trail), .parse = parse, .run = run, .reply = reply, .free = drop
};
