#include "frame/relay.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "port/digest.h"
#include "port/kafka.h"
#include "port/pg.h"
#include "frame/metrics.h"
#include "frame/span_kafka.h"

enum {
	BATCH = 500,
	WAIT_MS = 100,
	LEAD_RETRY_MS = 200,
	WINDOW_MS = 100,
	BUSY_ROWS_S = 200,
	GATHER_MS = 50, /* a busy relay lets rows gather: a broker pays per request, not per row */
	NOTIFY_MIN_MS = 5,
	ARENA_BYTES = 64 << 20,
	DELIVERY_WAIT_MS = 2000
};

/* The rows under way. */
struct batch {
	int64_t seqs[BATCH];
	bool delivered[BATCH];
	int64_t ages_ms[BATCH], read_ms; /* how old each was when it was read, and when that was */
	struct span *spans[BATCH];	 /* in the arena; NULL: none */
	const char *topics[BATCH];
	size_t waiting;
};

/* How much there is to do: rows since a moment, and what that meant the last time. */
struct pace {
	int64_t since_ms;
	size_t rows;
	bool busy;
};

/* What it tells of each row. */
struct told {
	struct metric *delay;
	struct spans *spans;
};

/* What other threads may look at. */
struct counts {
	_Atomic bool leader;
	_Atomic size_t published;
	_Atomic int64_t oldest_age_ms, kafka_away_ms;
};

struct relay {
	struct pg *pg;
	struct kafka_conf kafka;
	struct kafka_producer *producer;
	struct arena *arena;
	int wake_fd;
	int64_t lock_key;
	char channel[64];
	struct batch batch;
	struct pace pace;
	int64_t last_notify_ms, last_lead_try_ms, last_delivery_ms;
	struct counts counts;
	struct told told;
};

/* Who does not lead still learns how long events have waited, to know that Kafka is away. */
static const struct pg_statement lock = { "relay_lock",
	"SELECT pg_try_advisory_lock($1::bigint), coalesce((SELECT extract(epoch FROM"
	" clock_timestamp() - created_at) * 1000 FROM outbox ORDER BY seq LIMIT 1), 0)::bigint" };
static const struct pg_statement notify = { "relay_notify", "SELECT pg_notify($1, '')" };
static const struct pg_statement next = { "relay_next",
	"SELECT seq, topic, part, key, headers, payload, "
	"(extract(epoch FROM clock_timestamp() - created_at) * 1000)::bigint "
	"FROM outbox ORDER BY seq LIMIT 500" };
static const struct pg_statement done = { "relay_done",
	"DELETE FROM outbox WHERE seq = ANY ($1::bigint[])" };

/* No try would ever send it: it must not stop what is behind it. Our own events are far below any
 * limit; a dead letter's copy is cut to size, and its row stays. */
static void give_up(struct relay *relay, size_t row, struct err e)
{
	LOG(LOG_ERROR, "relay.row_dropped", LOG_INT("seq", relay->batch.seqs[row]), LOG_ERR(e));
	relay->batch.delivered[row] = true;
}

static void on_delivered(void *arg, uint64_t tag, struct err e)
{
	struct relay *relay = arg;

	relay->batch.waiting--;
	if (e.kind == ERR_REJECT)
		give_up(relay, tag, e);
	if (e.kind != ERR_OK)
		return; /* stays in the table */
	relay->batch.delivered[tag] = true;
	relay->last_delivery_ms = clock_mono_ms();
	int64_t age_ms = relay->batch.ages_ms[tag] + clock_mono_ms() - relay->batch.read_ms;
	metrics_observe(relay->told.delay, NULL, (double)age_ms / 1000);
	span_kafka_sent(relay->batch.spans[tag], relay->batch.topics[tag]);
}

struct err relay_open(struct pg *pg, const struct kafka_conf *kafka, const char *service,
	struct relay **ret_relay)
{
	struct relay *relay = calloc(1, sizeof *relay);
	uint8_t hash[DIGEST_BYTES];

	if (relay == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for the relay");
	relay->pg = pg;
	relay->kafka = *kafka;
	relay->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	relay->arena = arena_new(ARENA_BYTES);
	relay->last_delivery_ms = clock_mono_ms();
	snprintf(relay->channel, sizeof relay->channel, "esteira_outbox_%s", service);
	digest_sha256(str_of(relay->channel), hash);
	memcpy(&relay->lock_key, hash, sizeof relay->lock_key);
	struct err e = relay->arena == NULL || relay->wake_fd < 0
			       ? err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for the relay")
			       : kafka_producer_open(kafka, on_delivered, relay, &relay->producer);
	if (e.kind != ERR_OK) {
		relay_close(relay);
		return e;
	}
	*ret_relay = relay;
	return err_ok();
}

void relay_close(struct relay *relay)
{
	if (relay == NULL)
		return;
	kafka_producer_close(relay->producer);
	arena_free(relay->arena);
	if (relay->wake_fd >= 0)
		close(relay->wake_fd);
	free(relay);
}

void relay_measure(struct relay *relay, struct metric *delay, struct spans *spans)
{
	relay->told = (struct told){ delay, spans };
}

void relay_wake(struct relay *relay)
{
	uint64_t one = 1;
	ssize_t written = write(relay->wake_fd, &one, sizeof one);

	(void)written; /* full means awake */
}

void relay_look(const struct relay *relay, struct relay_view *ret_view)
{
	*ret_view = (struct relay_view){ .leader = relay->counts.leader,
		.published = relay->counts.published,
		.oldest_age_ms = relay->counts.oldest_age_ms,
		.kafka_away_ms = relay->counts.kafka_away_ms };
}

static void note_age(struct relay *relay, int64_t age_ms)
{
	int64_t silent_ms = clock_mono_ms() - relay->last_delivery_ms;

	relay->counts.oldest_age_ms = age_ms;
	/* rows wait and none gets through: Kafka is away since the younger of the two moments */
	relay->counts.kafka_away_ms = age_ms == 0 ? 0 : age_ms < silent_ms ? age_ms : silent_ms;
}

/* The session-level lock lives and dies with the connection, which pg replaces when it is lost. */
static struct err try_to_lead(struct relay *relay)
{
	const struct pg_rows *rows;
	const struct pg_arg key = pg_int(relay->lock_key);

	if (clock_mono_ms() - relay->last_lead_try_ms < LEAD_RETRY_MS)
		return err_ok();
	relay->last_lead_try_ms = clock_mono_ms();
	TRY(pg_query(relay->pg, relay->arena, &lock, &key, 1, &rows));
	relay->counts.leader = pg_get_int(rows, 0, 0) != 0;
	note_age(relay, pg_get_int(rows, 0, 1));
	if (relay->counts.leader)
		TRY(pg_listen(relay->pg, relay->channel));
	return err_ok();
}

/* Waits until every report of the batch is in, or the brokers stay silent for too long. */
static struct err await_deliveries(struct relay *relay)
{
	int64_t since = clock_mono_ms();

	while (relay->batch.waiting > 0 && clock_mono_ms() - since < DELIVERY_WAIT_MS) {
		size_t before = relay->batch.waiting;
		TRY(kafka_producer_poll(relay->producer, 50));
		if (relay->batch.waiting < before)
			since = clock_mono_ms();
	}
	return err_ok();
}

/* A handle with messages in flight cannot be asked to forget them in order: a new one starts clean.
 */
static struct err renew_producer(struct relay *relay)
{
	kafka_producer_close(relay->producer);
	relay->producer = NULL;
	relay->batch.waiting = 0;
	return kafka_producer_open(&relay->kafka, on_delivered, relay, &relay->producer);
}

static struct err send_row(struct relay *relay, const struct pg_rows *rows, size_t row)
{
	struct kafka_record record = {
		.topic = pg_get_text(rows, row, 1),
		.partition = (int32_t)pg_get_int(rows, row, 2),
		.key = pg_get_bytes(rows, row, 3),
		.value = pg_get_bytes(rows, row, 5),
	};

	relay->batch.seqs[row] = pg_get_int(rows, row, 0);
	relay->batch.delivered[row] = false;
	relay->batch.ages_ms[row] = pg_get_int(rows, row, 6);
	relay->batch.topics[row] = record.topic;
	struct err e = envelope_unpack(pg_get_bytes(rows, row, 4), relay->arena, &record.headers);
	relay->batch.spans[row] = e.kind == ERR_OK
					  ? span_kafka_send(relay->told.spans, relay->arena,
						    &record, relay->batch.ages_ms[row])
					  : NULL;
	if (e.kind == ERR_OK)
		e = kafka_producer_send(relay->producer, &record, row);
	relay->batch.waiting += e.kind == ERR_OK;
	if (e.kind != ERR_REJECT)
		return e;
	give_up(relay, row, e);
	return err_ok();
}

static struct err delete_delivered(struct relay *relay, size_t count, size_t *ret_deleted)
{
	struct pg_array *seqs = pg_array_new(relay->arena, PG_KIND_INT, BATCH);
	size_t deleted = 0;

	if (seqs == NULL)
		return arena_overflow();
	for (size_t i = 0; i < count; i++) {
		if (!relay->batch.delivered[i])
			continue;
		TRY(pg_array_add(seqs, pg_int(relay->batch.seqs[i])));
		deleted++;
	}
	*ret_deleted = deleted;
	if (deleted == 0)
		return err_ok();
	const struct pg_arg arg = pg_list(seqs);
	TRY(pg_push(relay->pg, &done, &arg, 1));
	return pg_sync(relay->pg);
}

/* One round of a leader; *ret_published = how many rows went through. */
static struct err publish(struct relay *relay, size_t *ret_published)
{
	const struct pg_rows *rows;
	size_t sent = 0, deleted = 0;
	struct err e = err_ok();

	TRY(pg_query(relay->pg, relay->arena, &next, NULL, 0, &rows));
	size_t count = pg_count(rows);
	relay->batch.read_ms = clock_mono_ms();
	note_age(relay, count == 0 ? 0 : pg_get_int(rows, 0, 6));
	for (; sent < count && e.kind == ERR_OK; sent += e.kind == ERR_OK)
		e = send_row(relay, rows, sent);
	TRY(await_deliveries(relay));
	if (sent > 0)
		failpoint_reach("relay_sent");
	if (relay->batch.waiting > 0)
		TRY(renew_producer(relay));
	TRY(delete_delivered(relay, sent, &deleted));
	relay->counts.published += deleted;
	if (deleted > 0)
		note_age(relay, 0);
	*ret_published = deleted;
	return e;
}

/* Judged over a window, so that the few rows of a lone request never wait. */
static bool is_busy(struct pace *pace, size_t published)
{
	int64_t age_ms = clock_mono_ms() - pace->since_ms;

	pace->rows += published;
	if (age_ms < WINDOW_MS)
		return pace->busy;
	pace->busy = (int64_t)pace->rows * 1000 >= BUSY_ROWS_S * age_ms;
	pace->since_ms += age_ms;
	pace->rows = 0;
	return pace->busy;
}

static void wait_for_work(struct relay *relay)
{
	struct pollfd fds[] = { { relay->wake_fd, POLLIN, 0 },
		{ pg_socket(relay->pg), POLLIN, 0 } };
	uint64_t count;

	poll(fds, 2, WAIT_MS);
	ssize_t got = read(relay->wake_fd, &count, sizeof count);
	bool woken = got == (ssize_t)sizeof count;
	(void)pg_take_notification(relay->pg);
	if (!woken || relay->counts.leader ||
		clock_mono_ms() - relay->last_notify_ms < NOTIFY_MIN_MS)
		return;
	/* somebody else leads: tell them; the 100 ms poll stands behind a lost word */
	const struct pg_arg channel = pg_text(relay->channel);
	relay->last_notify_ms = clock_mono_ms();
	struct err e = pg_push(relay->pg, &notify, &channel, 1);
	if (e.kind == ERR_OK)
		e = pg_sync(relay->pg);
	(void)e;
}

struct err relay_ping(struct relay *relay, int timeout_ms, int64_t *ret_took_us)
{
	return kafka_producer_ping(relay->producer, timeout_ms, ret_took_us);
}

struct err relay_step(struct relay *relay)
{
	size_t published = 0;

	arena_reset(relay->arena);
	if (pg_socket(relay->pg) < 0)
		relay->counts.leader = false; /* the lock went with the connection */
	struct err e = relay->counts.leader ? publish(relay, &published) : try_to_lead(relay);
	if (e.kind == ERR_FATAL && e.code == ERR_CODE_KAFKA_AWAY)
		e = renew_producer(relay);
	if (e.kind == ERR_FATAL)
		return e;
	if (is_busy(&relay->pace, published) && published < BATCH)
		poll(NULL, 0, GATHER_MS);
	if (published < BATCH)
		wait_for_work(relay);
	if (pg_socket(relay->pg) < 0)
		relay->counts.leader = false; /* before a chore on this thread connects anew */
	return err_ok();
}
