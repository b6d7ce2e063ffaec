#include "api/sse.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/api_store.h"
#include "api/key_watch.h"
#include "api/tail.h"
#include "base/clock.h"
#include "frame/metrics.h"
#include "intake.h"
#include "port/loop.h"
#include "port/pg.h"
#include "port/redis.h"
#include "port/web.h"
#include "port/web_reply.h"

enum {
	FULL_RETRY_AFTER_S = 5,
	TICK_MS = 1000,
	PING_MS = 15000,
	REPLAY_TIMEOUT_MS = 5000,
	EVENT_MAX_BYTES = JOBS_JSON_MAX_BYTES + 256,
};

/* The look at the rows of all open streams; one at a time. */
struct poll {
	struct pool_job job;
	struct api_store_ref *refs;
	size_t count;
	struct api_store_news news;
	bool busy, again;
};

struct sse_hub {
	struct poll poll; /* first: the pool's job is the hub */
	struct api *api;
	struct tail *tail;
	struct loop_timer *timer;
	struct sse *first;
	size_t count;
	size_t replays; /* commands that Redis has not answered */
	bool stopped, closed;
};

/* One open stream. */
struct sse {
	struct tail_watch watch; /* first: tail gives it back */
	struct sse_hub *hub;
	struct sse *next;
	struct web_exchange *exchange; /* NULL: gone, freed when the replay has answered */
	struct api_store_ref ref;
	struct key_watch_hold hold; /* the key it was asked for with */
	int64_t quiet_since_ms;
	bool has_end;	/* the stream said it has ended, with watch.last as the id */
	bool row_ended; /* and so did the row, a look ago */
	bool replaying;
	struct buf final; /* the job's JSON, when it had ended before */
	const char *final_event;
};

/* --- writing --- */

static void write_text(struct sse *sse, struct buf *text)
{
	sse->quiet_since_ms = clock_mono_ms();
	web_reply_write(sse->exchange, buf_str(text));
}

static void write_event(
	struct sse *sse, const struct tail_id *id, struct str event, struct str data)
{
	struct buf text SCOPED(buf_done) = BUF(EVENT_MAX_BYTES);
	char id_text[TAIL_ID_BYTES];

	if (id != NULL) {
		tail_id_format(*id, id_text);
		buf_addf(&text, "id: %s\n", id_text);
	}
	buf_add_str(&text, STR("event: "));
	buf_add_str(&text, event);
	buf_add_str(&text, STR("\ndata: "));
	buf_add_str(&text, data);
	buf_add_str(&text, STR("\n\n"));
	if (!text.overflow)
		write_text(sse, &text);
}

static void write_comment(struct sse *sse, struct str comment)
{
	struct buf text SCOPED(buf_done) = BUF(64);

	buf_add_str(&text, comment);
	buf_add_str(&text, STR("\n\n"));
	write_text(sse, &text);
}

/* --- coming and going --- */

static void unlink_sse(struct sse *sse)
{
	struct sse_hub *hub = sse->hub;
	struct sse **at = &hub->first;

	while (*at != NULL && *at != sse)
		at = &(*at)->next;
	if (*at == NULL)
		return;
	*at = sse->next;
	hub->count--;
	tail_remove(hub->tail, &sse->watch);
	key_watch_remove(&sse->hold);
	if (hub->count == 0 && !hub->stopped)
		loop_timer_stop(hub->timer);
	metrics_set(hub->api->metrics.streams, NULL, (double)hub->count);
}

static void drop(struct sse *sse)
{
	unlink_sse(sse);
	sse->exchange = NULL;
	if (sse->replaying)
		return;
	buf_done(&sse->final);
	free(sse);
}

static void on_abort(struct web_exchange *exchange, void *arg)
{
	(void)exchange;
	drop(arg);
}

static void end(struct sse *sse)
{
	struct web_exchange *exchange = sse->exchange;

	web_on_abort(exchange, NULL, NULL);
	drop(sse);
	web_reply_end(exchange);
}

/* Whoever comes again with that key hears why. */
static void on_key_ended(struct key_watch_hold *hold)
{
	end((struct sse *)(void *)((char *)hold - offsetof(struct sse, hold)));
}

static void finish(struct sse *sse, const char *event, struct str json)
{
	write_event(sse, sse->has_end ? &sse->watch.last : NULL, str_of(event), json);
	end(sse);
}

/* --- the rows --- */

static struct err poll_run(struct pool_job *job, struct pg *pg, struct arena *arena)
{
	struct poll *poll = (struct poll *)job;

	const struct api_store_watched watched = { poll->refs, poll->count };
	return api_store_ended(pg, arena, &watched, &poll->news);
}

static void poll_now(struct sse_hub *hub)
{
	struct poll *poll = &hub->poll;

	if (poll->busy || hub->count == 0 || hub->stopped) {
		poll->again = poll->busy;
		return;
	}
	struct api_store_ref *refs = calloc(hub->count, sizeof *refs);
	if (refs == NULL)
		return;
	poll->refs = refs;
	poll->count = 0;
	for (const struct sse *sse = hub->first; sse != NULL; sse = sse->next)
		if (!sse->replaying)
			refs[poll->count++] = sse->ref;
	poll->busy = poll->count > 0 && pool_submit(hub->api->watch, &poll->job).kind == ERR_OK;
	if (poll->busy)
		return;
	free(refs);
	poll->refs = NULL;
}

/* The row has ended. Its entry in the stream brings the id and is on its way, unless Redis is away:
 * it is waited for until the next look. */
static void on_row_ended(struct sse *sse, const struct jobs_view *job)
{
	struct buf json SCOPED(buf_done) = BUF(JOBS_JSON_MAX_BYTES);
	bool wait = !sse->has_end && !sse->row_ended && redis_is_up(sse->hub->api->intake->redis);

	sse->row_ended = true;
	if (wait || jobs_write(job, &json).kind != ERR_OK)
		return;
	finish(sse, job->status, buf_str(&json));
}

static void tell_ended(struct sse_hub *hub, const struct api_store_ended *ended)
{
	struct sse *next;

	for (struct sse *sse = hub->first; sse != NULL; sse = next) {
		next = sse->next;
		if (!sse->replaying && id_eq(sse->ref.job_id, ended->job.job_id) &&
			tenant_eq(sse->ref.tenant, ended->tenant))
			on_row_ended(sse, &ended->job);
	}
}

static void poll_done(struct pool_job *job, struct err e)
{
	struct sse_hub *hub = (struct sse_hub *)job;
	struct poll *poll = &hub->poll;

	free(poll->refs);
	poll->refs = NULL;
	poll->busy = false;
	if (hub->stopped)
		return;
	for (size_t i = 0; e.kind == ERR_OK && i < poll->news.count; i++)
		tell_ended(hub, &poll->news.ended[i]);
	if (poll->again)
		poll_now(hub);
}

static void on_tick(void *arg)
{
	struct sse_hub *hub = arg;
	int64_t now_ms = clock_mono_ms();

	key_watch_look(front_watch(hub->api->guards.front));
	for (struct sse *sse = hub->first; sse != NULL; sse = sse->next)
		if (now_ms - sse->quiet_since_ms >= PING_MS)
			write_comment(sse, STR(": ping"));
	poll_now(hub);
}

/* --- the stream --- */

static void on_entry(struct tail_watch *watch, const struct tail_entry *entry)
{
	struct sse *sse = (struct sse *)watch;

	if (!str_eq(entry->event, STR("end"))) {
		write_event(sse, &entry->id, entry->event, entry->data);
		return;
	}
	sse->has_end = true;
	tail_remove(sse->hub->tail, watch);
	poll_now(sse->hub);
}

static void replay_entries(struct sse *sse, const struct redis_reply *reply)
{
	struct tail_entry entry;

	for (size_t i = 0; i < reply->count; i++) {
		if (!tail_entry_read(&reply->items[i], &entry))
			continue;
		sse->watch.last = entry.id;
		sse->has_end = str_eq(entry.event, STR("end"));
		if (!sse->has_end)
			write_event(sse, &entry.id, entry.event, entry.data);
	}
}

static void on_replayed(void *arg, struct err result, const struct redis_reply *reply)
{
	struct sse *sse = arg;
	struct sse_hub *hub = sse->hub;

	hub->replays--;
	sse->replaying = false;
	if (sse->exchange == NULL) {
		drop(sse);
	} else {
		if (result.kind == ERR_OK && reply->kind == REDIS_ARRAY)
			replay_entries(sse, reply);
		finish(sse, sse->final_event, buf_str(&sse->final));
	}
	if (hub->closed && hub->replays == 0)
		free(hub);
}

/* A job that had ended when it was asked about: what the stream still holds, then the end state. */
static void replay(struct sse *sse)
{
	char from[TAIL_ID_BYTES + 1] = "(";
	struct sse_hub *hub = sse->hub;

	tail_id_format(sse->watch.last, from + 1);
	const struct str argv[] = { STR("XRANGE"), str_of(sse->watch.key), str_of(from), STR("+") };
	const struct redis_command command = { argv, 4, REPLAY_TIMEOUT_MS };
	sse->replaying = true;
	hub->replays++;
	redis_send(hub->api->intake->redis, &command, on_replayed, sse);
}

/* --- the request --- */

struct watch_call {
	struct call call;
	struct id job_id;
	struct tail_id last; /* 0-0: from the beginning */
	struct buf final;
	const char *final_event; /* NULL: not ended yet */
};

static struct err parse(struct call *call)
{
	struct watch_call *w = (struct watch_call *)call;
	const struct str last = web_header(call->exchange, "last-event-id");

	w->final = BUF(JOBS_JSON_MAX_BYTES);
	if (last.ptr == NULL || !tail_id_parse(last, &w->last))
		w->last = (struct tail_id){ 0, 0 };
	return call_job_id(call->exchange, &w->job_id);
}

static struct err run(struct call *call, struct pg *pg, struct arena *arena)
{
	struct watch_call *w = (struct watch_call *)call;
	const struct tenant tenant = call->from.who.tenant;
	struct jobs_view job;

	TRY(api_store_begin(pg, tenant));
	TRY(api_store_job(pg, arena, tenant, w->job_id, &job));
	TRY(pg_commit(pg));
	if (!jobs_is_final(job.status))
		return err_ok();
	w->final_event = strcmp(job.status, "failed") == 0 ? "failed" : "completed";
	return jobs_write(&job, &w->final);
}

static struct sse *sse_new(struct watch_call *w)
{
	struct sse *sse = calloc(1, sizeof *sse);

	if (sse == NULL)
		return NULL;
	sse->hub = w->call.api->streams;
	sse->exchange = w->call.exchange;
	sse->ref = (struct api_store_ref){ w->call.from.who.tenant, w->job_id };
	sse->watch.last = w->last;
	sse->watch.entry = on_entry;
	sse->hold = (struct key_watch_hold){ .ask = { .key = w->call.ask.key.key },
		.ended = on_key_ended };
	rediskey_progress(sse->ref.tenant, w->job_id, sse->watch.key);
	sse->final_event = w->final_event;
	sse->final = w->final;
	w->final = BUF(0);
	return sse;
}

static void start(struct sse *sse)
{
	static const struct web_field headers[] = {
		{ "Content-Type", { "text/event-stream", 17 } },
		{ "X-Accel-Buffering", { "no", 2 } },
		{ NULL, { NULL, 0 } },
	};
	struct sse_hub *hub = sse->hub;

	sse->next = hub->first;
	hub->first = sse;
	if (hub->count++ == 0)
		loop_timer_start(hub->timer, TICK_MS, TICK_MS);
	metrics_set(hub->api->metrics.streams, NULL, (double)hub->count);
	key_watch_add(front_watch(hub->api->guards.front), &sse->hold);
	web_on_abort(sse->exchange, on_abort, sse);
	web_reply_start(sse->exchange, 200, headers);
	write_comment(sse, STR("retry: 1000"));
	if (sse->final_event != NULL)
		replay(sse);
	else
		tail_add(hub->tail, &sse->watch);
}

static struct err find_place(const struct sse_hub *hub, struct tenant tenant)
{
	int64_t of_tenant = 0;

	if (hub->count >= SSE_STREAMS_MAX || hub->stopped)
		return err_retry(ERR_CODE_OVERLOADED, "");
	for (const struct sse *sse = hub->first; sse != NULL; sse = sse->next)
		of_tenant += tenant_eq(sse->ref.tenant, tenant);
	return of_tenant < hub->api->intake->conf->limits.tenant_streams
		       ? err_ok()
		       : err_reject(ERR_CODE_TOO_MANY_STREAMS, "end one, or come again later");
}

static void reply(struct call *call)
{
	struct watch_call *w = (struct watch_call *)call;
	struct err e = find_place(call->api->streams, call->from.who.tenant);
	struct sse *sse = e.kind == ERR_OK ? sse_new(w) : NULL;

	if (e.kind == ERR_REJECT)
		web_reply_retry_after(call->exchange, FULL_RETRY_AFTER_S);
	if (e.kind != ERR_OK)
		call_refuse(call->exchange, e);
	else if (sse == NULL)
		call_refuse(call->exchange, err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory"));
	else
		start(sse);
	if (sse != NULL && str_eq(web_method(sse->exchange), STR("HEAD")))
		end(sse);
}

static void free_watch(struct call *call)
{
	buf_done(&((struct watch_call *)call)->final);
}

const struct call_route sse_get = { .size = sizeof(struct watch_call),
	.parse = parse,
	.run = run,
	.reply = reply,
	.free = free_watch };

/* --- the hub --- */

struct err sse_open(struct api *api, struct sse_hub **ret_hub)
{
	const struct intake *intake = api->intake;
	struct sse_hub *hub = calloc(1, sizeof *hub);

	if (hub == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory to start with");
	hub->api = api;
	hub->poll.job = (struct pool_job){ .run = poll_run, .done = poll_done };
	struct err e = loop_timer_new(api->loop, on_tick, hub, &hub->timer);
	if (e.kind == ERR_OK)
		e = tail_open(api->loop, intake->redis, intake->redis_tail, &hub->tail);
	if (e.kind == ERR_OK) {
		*ret_hub = hub;
		return e;
	}
	loop_timer_free(hub->timer);
	free(hub);
	return e;
}

void sse_stop(struct sse_hub *hub)
{
	if (hub == NULL || hub->stopped)
		return;
	hub->stopped = true;
	loop_timer_free(hub->timer);
	hub->timer = NULL;
	while (hub->first != NULL)
		end(hub->first);
}

void sse_close(struct sse_hub *hub)
{
	if (hub == NULL)
		return;
	sse_stop(hub);
	tail_close(hub->tail);
	free(hub->poll.refs);
	hub->closed = true;
	if (hub->replays == 0)
		free(hub);
}
