#include "api/secure.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "frame/certificate.h"
#include "frame/metrics.h"
#include "frame/service.h"
#include "intake.h"
#include "port/loop.h"
#include "port/tls.h"

enum { LOOK_MS = 10000 };

/* What a metric of one outcome reads. */
struct outcome {
	struct secure *secure;
	enum tls_event event;
};

struct secure {
	const struct intake_wires *conf;
	struct tls *tls; /* NULL: plain */
	struct loop_timer *timer;
	struct err stale; /* what is wrong with the files as they are */
	struct outcome outcomes[TLS_EVENTS];
};

/* --- renewal --- */

static void log_certificate(const char *event, const struct secure *secure)
{
	char until[CLOCK_TEXT_BYTES];

	clock_format(tls_expires_s(secure->tls) * 1000, until);
	LOG(LOG_INFO, event, LOG_TEXT("expires", until));
}

static void on_look(void *arg)
{
	struct secure *secure = arg;
	enum tls_change change = tls_refresh(secure->tls, &secure->stale);

	if (change == TLS_RENEWED)
		log_certificate("http.certificate_renewed", secure);
	else if (change == TLS_STALE)
		LOG(LOG_ERROR, "http.certificate_unusable", LOG_ERR(secure->stale));
}

/* --- metrics --- */

static double expiry(void *arg)
{
	const struct secure *secure = arg;

	return (double)tls_expires_s(secure->tls);
}

static double outcome(void *arg)
{
	const struct outcome *of = arg;

	return (double)tls_counted(of->secure->tls, of->event);
}

static void register_metrics(struct secure *secure, struct metrics *metrics)
{
	static const struct metrics_spec sessions = { METRICS_COUNTER, "esteira_tls_sessions_total",
		"TLS connections to the public port by what became of them.", { "outcome" }, NULL,
		0 };
	static const char *const names[TLS_EVENTS] = { "established", "refused", "late", "broken" };

	certificate_watch(metrics, "http", expiry, secure);
	for (size_t i = 0; i < TLS_EVENTS; i++) {
		secure->outcomes[i] = (struct outcome){ secure, (enum tls_event)i };
		metrics_watch(metrics_register(metrics, &sessions), &names[i], outcome,
			&secure->outcomes[i]);
	}
}

/* --- opening --- */

static bool is_wanted(const struct intake_wires *conf)
{
	return conf->http_cert_file[0] != '\0' || conf->http_key_file[0] != '\0' ||
	       conf->http_client_ca_file[0] != '\0';
}

static struct err open_tls(struct secure *secure, struct service_context *service)
{
	const struct intake_wires *conf = secure->conf;
	const struct tls_conf tls = { .role = TLS_SERVER,
		.cert_file = conf->http_cert_file,
		.key_file = conf->http_key_file,
		.ca_file = conf->http_client_ca_file,
		.alpn = "http/1.1",
		.from_1_2 = strcmp(conf->http_tls_min, "1.2") == 0 };

	TRY(tls_open(&tls, &secure->tls));
	TRY(loop_timer_new(service_loop(service), on_look, secure, &secure->timer));
	loop_timer_start(secure->timer, LOOK_MS, LOOK_MS);
	register_metrics(secure, service_metrics(service));
	log_certificate("http.tls", secure);
	return err_ok();
}

struct err secure_open(struct intake *intake, struct secure **ret_secure)
{
	struct secure *secure = calloc(1, sizeof *secure);

	if (secure == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory to start with");
	secure->conf = &intake->conf->wires;
	*ret_secure = secure; /* also after a failure: secure_close ends what was opened */
	if (is_wanted(secure->conf))
		return open_tls(secure, intake->service);
	LOG(LOG_INFO, "http.plain", LOG_TEXT("tls", "off: whoever is in front has to speak it"));
	return err_ok();
}

void secure_close(struct secure *secure)
{
	if (secure == NULL)
		return;
	loop_timer_free(secure->timer);
	tls_close(secure->tls);
	free(secure);
}

struct tls *secure_tls(const struct secure *secure)
{
	return secure->tls;
}

void secure_write(const struct secure *secure, struct buf *out)
{
	char until[CLOCK_TEXT_BYTES];

	if (secure == NULL || secure->tls == NULL) {
		buf_addf(out, ",\"http\":{\"tls\":\"off\"}");
		return;
	}
	clock_format(tls_expires_s(secure->tls) * 1000, until);
	buf_addf(out, ",\"http\":{\"tls\":\"%s\",\"certificate_expires\":\"%s\"",
		secure->conf->http_tls_min, until);
	buf_addf(out, ",\"client_certificates\":%s",
		secure->conf->http_client_ca_file[0] == '\0' ? "false" : "true");
	if (secure->stale.kind != ERR_OK)
		buf_addf(out, ",\"certificate_unusable\":\"%s\"", secure->stale.msg);
	buf_addf(out, "}");
}
