#include "frame/admin.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/str.h"
#include "frame/brake.h"
#include "frame/consumer.h"
#include "frame/engine.h"
#include "frame/halt.h"
#include "frame/health.h"
#include "frame/metrics.h"
#include "frame/metrics_process.h"
#include "frame/metrics_wire.h"
#include "frame/park.h"
#include "frame/relay.h"
#include "frame/schedule.h"
#include "port/loop.h"
#include "port/web.h"
#include "port/web_reply.h"

enum {
	BODY_MAX = 8 << 20,
	STALE_MS = 60000, /* a thread that has not turned for so long never will */
};

struct admin {
	struct admin_conf conf;
	struct metrics *metrics;
	struct web *web;
	bool draining;
	void (*closed)(void *arg);
	void *closed_arg;
};

struct metrics *admin_metrics_new(const char *service, const char *version)
{
	struct metrics *metrics = metrics_new();

	if (metrics != NULL)
		metrics_process_register(metrics, version, service);
	return metrics;
}

/* --- what is watched: read at each scrape --- */

static double read_lag(void *arg)
{
	struct consumer_view view;

	consumer_look(arg, &view);
	return (double)view.lag;
}

static double read_runnable(void *arg)
{
	struct consumer_view view;

	consumer_look(arg, &view);
	return (double)view.runnable;
}

static double read_rebalances(void *arg)
{
	struct consumer_view view;

	consumer_look(arg, &view);
	return (double)view.rebalances;
}

static double read_partitions(void *arg)
{
	struct consumer_view view;

	consumer_look(arg, &view);
	return (double)view.partitions;
}

static double read_held(void *arg)
{
	struct consumer_view view;

	consumer_look(arg, &view);
	return (double)view.held;
}

static double read_braked(void *arg)
{
	struct consumer_view view;

	consumer_look(arg, &view);
	return (double)view.braked;
}

static double read_cuts(void *arg)
{
	struct consumer_view view;

	consumer_look(arg, &view);
	return (double)view.cuts;
}

static double read_still(void *arg)
{
	struct consumer_view view;

	consumer_look(arg, &view);
	return (double)view.still_ms / 1000;
}

static double read_erasing(void *arg)
{
	return (double)halt_longest_ms(arg, TENANT_ERASING) / 1000;
}

static double read_parked_due(void *arg)
{
	struct park_view view;

	park_look(arg, &view);
	return (double)view.due;
}

static double read_parked_blocked(void *arg)
{
	struct park_view view;

	park_look(arg, &view);
	return (double)view.blocked;
}

static double read_parked_overflow(void *arg)
{
	struct park_view view;

	park_look(arg, &view);
	return (double)view.overflow;
}

static double read_parked_suspended(void *arg)
{
	struct park_view view;

	park_look(arg, &view);
	return (double)view.suspended;
}

static double read_parked_held(void *arg)
{
	struct park_view view;

	park_look(arg, &view);
	return (double)view.held;
}

static double read_brakes(void *arg)
{
	return (double)brake_count_open(arg);
}

static double read_window_bytes(void *arg)
{
	struct schedule_view view;

	schedule_look(arg, &view);
	return (double)view.bytes;
}

static double read_oldest_runnable(void *arg)
{
	struct schedule_view view;

	schedule_look(arg, &view);
	return (double)view.oldest_runnable_ms / 1000;
}

static double read_oldest_unhandled(void *arg)
{
	struct schedule_view view;

	schedule_look(arg, &view);
	return (double)view.oldest_unhandled_ms / 1000;
}

static double read_published(void *arg)
{
	struct relay_view view;

	relay_look(arg, &view);
	return (double)view.published;
}

static double read_outbox_age(void *arg)
{
	struct relay_view view;

	relay_look(arg, &view);
	return (double)view.oldest_age_ms / 1000;
}

static const struct metrics_spec parked_spec = { METRICS_GAUGE, "esteira_parked_records",
	"Records parked of our partitions, by what they wait for.", { "state" }, NULL, 0 };

static const struct watch {
	struct metrics_spec spec; /* without a name: parked_spec */
	double (*read)(void *arg);
	const char *label; /* value of the row's one label, or NULL */
	enum { OF_CONSUMER, OF_SCHEDULE, OF_RELAY, OF_PARK, OF_BRAKES, OF_HALT } whose;
} watches[] = {
	{ { METRICS_GAUGE, "esteira_consumer_lag_records",
		  "Records of our partitions that are not committed.", { NULL }, NULL, 0 },
		read_lag, NULL, OF_CONSUMER },
	{ { METRICS_GAUGE, "esteira_consumer_runnable_lag_records",
		  "Those of them in partitions that are neither held nor braked.", { NULL }, NULL,
		  0 },
		read_runnable, NULL, OF_CONSUMER },
	{ { METRICS_GAUGE, "esteira_consumer_partitions", "Partitions this process owns.", { NULL },
		  NULL, 0 },
		read_partitions, NULL, OF_CONSUMER },
	{ { METRICS_COUNTER, "esteira_consumer_rebalances_total", "Assignments since start.",
		  { NULL }, NULL, 0 },
		read_rebalances, NULL, OF_CONSUMER },
	{ { METRICS_GAUGE, "esteira_window_bytes", "Fetched records in memory.", { NULL }, NULL,
		  0 },
		read_window_bytes, NULL, OF_SCHEDULE },
	{ { METRICS_GAUGE, "esteira_oldest_runnable_seconds",
		  "How long the oldest record that could run has waited.", { NULL }, NULL, 0 },
		read_oldest_runnable, NULL, OF_SCHEDULE },
	{ { METRICS_GAUGE, "esteira_oldest_unhandled_seconds",
		  "How long the oldest fetched record has waited or been worked on.", { NULL },
		  NULL, 0 },
		read_oldest_unhandled, NULL, OF_SCHEDULE },
	{ { METRICS_COUNTER, "esteira_outbox_published_total", "Events published since start.",
		  { NULL }, NULL, 0 },
		read_published, NULL, OF_RELAY },
	{ { METRICS_GAUGE, "esteira_outbox_oldest_seconds",
		  "Age of the oldest unpublished event; known to the leading process.", { NULL },
		  NULL, 0 },
		read_outbox_age, NULL, OF_RELAY },
	{ { METRICS_GAUGE, "esteira_consumer_held_partitions",
		  "Partitions that wait for estctl replay confirm.", { NULL }, NULL, 0 },
		read_held, NULL, OF_CONSUMER },
	{ { METRICS_GAUGE, "esteira_consumer_braked_partitions",
		  "Partitions that stand still because most of their tenants fail.", { NULL }, NULL,
		  0 },
		read_braked, NULL, OF_CONSUMER },
	{ { METRICS_COUNTER, "esteira_consumer_cuts_total",
		  "Times a log was cut before it was read, or was another one.", { NULL }, NULL,
		  0 },
		read_cuts, NULL, OF_CONSUMER },
	{ { METRICS_GAUGE, "esteira_consumer_watermark_still_seconds",
		  "The longest that a partition's committed place has not moved with records "
		  "behind "
		  "it.",
		  { NULL }, NULL, 0 },
		read_still, NULL, OF_CONSUMER },
	{ { METRICS_GAUGE, "esteira_tenant_erasing_seconds",
		  "How long the longest erasure of a tenant that is not over has taken.", { NULL },
		  NULL, 0 },
		read_erasing, NULL, OF_HALT },
	{ { .name = NULL }, read_parked_due, "due", OF_PARK },
	{ { .name = NULL }, read_parked_blocked, "blocked", OF_PARK },
	{ { .name = NULL }, read_parked_overflow, "overflow", OF_PARK },
	{ { .name = NULL }, read_parked_suspended, "suspended", OF_PARK },
	{ { .name = NULL }, read_parked_held, "held", OF_PARK },
	{ { METRICS_GAUGE, "esteira_brakes_open",
		  "Pairs of route and tenant that are stopped for a while.", { NULL }, NULL, 0 },
		read_brakes, NULL, OF_BRAKES },
};

static void watch_all(struct admin *admin)
{
	struct engine *engine = admin->conf.engine;
	void *const whose[] = { engine_consumer(engine), engine_schedule(engine),
		engine_relay(engine), engine_park(engine), engine_brakes(engine),
		engine_halt(engine) };

	for (size_t i = 0; i < sizeof watches / sizeof *watches; i++)
		if (whose[watches[i].whose] != NULL)
			metrics_watch(metrics_register(admin->metrics, watches[i].spec.name == NULL
									       ? &parked_spec
									       : &watches[i].spec),
				watches[i].label == NULL ? NULL : &watches[i].label,
				watches[i].read, whose[watches[i].whose]);
	metrics_wire_watch(admin->metrics, "workers", engine_pool(engine));
}

/* --- routes --- */

bool admin_is_alive(const struct admin_signs *signs)
{
	bool waits = signs->idle > 0 && signs->oldest_runnable_ms > STALE_MS;
	bool stuck = signs->all_up && (waits || signs->overdue);

	return !stuck && (!signs->reads || signs->tick_age_ms <= STALE_MS);
}

static bool is_alive(const struct admin *admin)
{
	struct schedule_view view;

	schedule_look(engine_schedule(admin->conf.engine), &view);
	const struct admin_signs signs = { .reads = engine_consumer(admin->conf.engine) != NULL,
		.tick_age_ms = health_tick_age_ms(admin->conf.health),
		.idle = view.idle,
		.oldest_runnable_ms = view.oldest_runnable_ms,
		.all_up = health_all_up(admin->conf.health),
		.overdue = view.longest_txn_ms > admin->conf.step_max_ms ||
			   view.longest_work_ms > admin->conf.work_max_ms };

	return admin_is_alive(&signs);
}

static void send_json(struct web_exchange *exchange, int status, struct buf *body)
{
	const struct web_field headers[] = { { "Content-Type", STR("application/json") },
		{ NULL, { NULL, 0 } } };

	web_reply_send(exchange, status, headers, buf_str(body));
	buf_done(body);
}

static void get_livez(struct web_exchange *exchange, void *arg)
{
	bool alive = is_alive(arg);
	struct buf body = BUF(BODY_MAX);

	buf_addf(&body, "{\"status\":\"%s\"}", alive ? "alive" : "stuck");
	send_json(exchange, alive ? 200 : 503, &body);
}

/* What stands still and why; it takes nobody out of service, because restarting would heal nothing.
 */
static void write_conveyor(const struct admin *admin, struct buf *out)
{
	struct consumer *consumer = engine_consumer(admin->conf.engine);
	struct consumer_view view;
	struct park_view parked;

	if (consumer == NULL)
		return;
	consumer_look(consumer, &view);
	park_look(engine_park(admin->conf.engine), &parked);
	buf_addf(
		out, ",\"partitions\":%zu,\"braked\":%zu,\"holds\":", view.partitions, view.braked);
	consumer_write_holds(consumer, out);
	buf_addf(out, ",\"parked\":{\"due\":%lld,\"blocked\":%lld,\"overflow\":%lld,",
		(long long)parked.due, (long long)parked.blocked, (long long)parked.overflow);
	buf_addf(out, "\"suspended\":%lld,\"held\":%lld}", (long long)parked.suspended,
		(long long)parked.held);
}

static void get_readyz(struct web_exchange *exchange, void *arg)
{
	const struct admin *admin = arg;
	struct buf body = BUF(BODY_MAX);

	buf_addf(&body, "{\"draining\":%s", admin->draining ? "true" : "false");
	write_conveyor(admin, &body);
	bool ready = admin->conf.ready(admin->conf.arg, &body) && !admin->draining;
	buf_addf(&body, ",\"dependencies\":");
	health_write(admin->conf.health, &body);
	buf_addf(&body, "}");
	send_json(exchange, ready ? 200 : 503, &body);
}

static void get_metrics(struct web_exchange *exchange, void *arg)
{
	const struct admin *admin = arg;
	enum metrics_format format = metrics_write_format(web_header(exchange, "accept"));
	const struct web_field headers[] = { { "Content-Type", str_of(metrics_write_type(format)) },
		{ NULL, { NULL, 0 } } };
	struct buf body = BUF(BODY_MAX);

	metrics_write(admin->metrics, format, &body);
	web_reply_send(
		exchange, buf_check(&body).kind == ERR_OK ? 200 : 500, headers, buf_str(&body));
	buf_done(&body);
}

static const struct web_route routes[] = {
	{ "GET", "/livez", get_livez, WEB_BODY_NONE, 0, NULL },
	{ "GET", "/readyz", get_readyz, WEB_BODY_NONE, 0, NULL },
	{ "GET", "/metrics", get_metrics, WEB_BODY_NONE, 0, NULL },
	{ NULL, NULL, NULL, WEB_BODY_NONE, 0, NULL },
};

struct err admin_open(
	const struct admin_conf *conf, struct metrics *metrics, struct admin **ret_admin)
{
	struct admin *admin = calloc(1, sizeof *admin);

	if (admin == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for the admin port");
	admin->conf = *conf;
	admin->metrics = metrics;
	watch_all(admin);
	const struct web_conf web = { .loop = conf->loop,
		.address = conf->address,
		.routes = routes,
		.limits = web_limits_default(),
		.arg = admin };
	struct err e = web_open(&web, &admin->web);
	if (e.kind != ERR_OK) {
		free(admin);
		return err_fatal(e.code, "the admin port cannot be opened (ESTEIRA_ADMIN_LISTEN)");
	}
	*ret_admin = admin;
	return err_ok();
}

static void on_closed(void *arg)
{
	struct admin *admin = arg;

	admin->closed(admin->closed_arg);
	free(admin);
}

void admin_close(struct admin *admin, void (*done)(void *arg), void *arg)
{
	admin->closed = done;
	admin->closed_arg = arg;
	web_close(admin->web, 0, on_closed, admin);
}

void admin_set_draining(struct admin *admin)
{
	admin->draining = true;
}
