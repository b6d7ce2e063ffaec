#include "port/kafka_settings.h"

#include <stdio.h>

#include <librdkafka/rdkafka.h>

#include "port/kafka_security.h"

enum { FOR_BOTH, FOR_CONSUMER, FOR_PRODUCER };

/* Each line departs from librdkafka's default for the reason beside it. */
static const struct {
	int whom;
	const char *name, *value;
} settings[] = {
	{ FOR_BOTH, "socket.nagle.disable", "true" },	   /* on by default before 2.10 */
	{ FOR_BOTH, "socket.keepalive.enable", "true" },   /* half-open connections */
	{ FOR_BOTH, "allow.auto.create.topics", "false" }, /* topics are declared, never guessed */
	{ FOR_BOTH, "log.connection.close", "false" },	   /* idle closes are no news */
	{ FOR_BOTH, "reconnect.backoff.max.ms", "2000" },  /* 10 s by default: too long an outage */
	/* Consumer memory, docs/benchmarks.md: 64 MB queued, 100,000 messages, 50 MB a fetch by
	 * default. The windows of frame/schedule hold 16 MB of copies; what the library fetches
	 * ahead comes on top. The bytes count payloads alone, so small messages cost several times
	 * as much. */
	{ FOR_CONSUMER, "queued.max.messages.kbytes", "4096" },
	{ FOR_CONSUMER, "fetch.max.bytes", "1048576" },
	/* Fewer cost less memory, but before 2.2 the library rests for up to 1 s behind so many:
	 * with 2,000 a third of the rate was left, with 4,000 and 8,000 at times a quarter. */
	{ FOR_CONSUMER, "queued.min.messages", "20000" },
	{ FOR_CONSUMER, "fetch.message.max.bytes", "1048576" },
	{ FOR_CONSUMER, "receive.message.max.bytes", "8388608" },
	{ FOR_CONSUMER, "fetch.wait.max.ms", "100" },	       /* 500: the idle broker's answer */
	{ FOR_CONSUMER, "isolation.level", "read_committed" }, /* transactional producers exist */
	{ FOR_CONSUMER, "check.crcs", "true" },
	{ FOR_CONSUMER, "enable.auto.commit", "false" }, /* frame/consumer commits */
	{ FOR_CONSUMER, "enable.auto.offset.store", "false" },
	{ FOR_CONSUMER, "auto.offset.reset", "error" }, /* a reader asks for what there is */
	/* eager: cooperative loses assignments before 2.10.1 */
	{ FOR_CONSUMER, "partition.assignment.strategy", "roundrobin" },
	{ FOR_PRODUCER, "enable.idempotence", "true" },
	{ FOR_PRODUCER, "acks", "all" },
	{ FOR_PRODUCER, "message.timeout.ms", "0" }, /* a timed-out n would let n+1 overtake it */
	{ FOR_PRODUCER, "linger.ms", "1" },
	{ FOR_PRODUCER, "compression.codec", "lz4" },
	{ FOR_PRODUCER, "queue.buffering.max.kbytes", "16384" }, /* 1 GB by default */
	{ FOR_PRODUCER, "queue.buffering.max.messages", "10000" },
	{ FOR_PRODUCER, "message.max.bytes", "1048576" },
};

static bool set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
	char why[128];

	return rd_kafka_conf_set(conf, name, value, why, sizeof why) == RD_KAFKA_CONF_OK;
}

static bool set_number(rd_kafka_conf_t *conf, const char *name, int number)
{
	char text[16];

	snprintf(text, sizeof text, "%d", number);
	return number == 0 || set(conf, name, text);
}

/* The library's own log lines say nothing that err does not. */
static void drop_log(const rd_kafka_t *handle, int level, const char *facility, const char *text)
{
	(void)handle;
	(void)level;
	(void)facility;
	(void)text;
}

struct rd_kafka_conf_s *kafka_settings_make(
	const struct kafka_conf *conf, bool consumer, const char *group)
{
	rd_kafka_conf_t *made = rd_kafka_conf_new();
	char why[128];
	bool good = set(made, "bootstrap.servers", conf->brokers) &&
		    set(made, "client.id", conf->client) &&
		    kafka_security_apply(conf->security, made, why);

	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
		if (settings[i].whom == FOR_BOTH || (settings[i].whom == FOR_CONSUMER) == consumer)
			good = good && set(made, settings[i].name, settings[i].value);
	if (consumer)
		good = good && set(made, "group.id", group) &&
		       /* of a group: "error" ends the fetching of the partition for good, no seek
			* revives it */
		       (group == NULL || set(made, "auto.offset.reset", "earliest")) &&
		       set_number(made, "session.timeout.ms", conf->session_ms) &&
		       set_number(made, "max.poll.interval.ms", conf->max_poll_ms) &&
		       set_number(made, "topic.metadata.refresh.interval.ms", conf->metadata_ms);
	else
		good = good && set_number(made, "linger.ms", conf->linger_ms) &&
		       set_number(made, "batch.num.messages", conf->batch_records);
	rd_kafka_conf_set_log_cb(made, drop_log);
	if (good)
		return made;
	rd_kafka_conf_destroy(made);
	return NULL;
}

/* A broker answers, and the answer is no: waiting alone will not help. */
static bool is_denial(int code)
{
	static const rd_kafka_resp_err_t denials[] = {
		RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
		RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
		RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED,
		RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED,
		RD_KAFKA_RESP_ERR__AUTHENTICATION,
	};

	for (size_t i = 0; i < sizeof denials / sizeof *denials; i++)
		if (code == (int)denials[i])
			return true;
	return false;
}

struct err kafka_settings_err(int code)
{
	const char *text = rd_kafka_err2str((rd_kafka_resp_err_t)code);

	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		return err_ok();
	if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL)
		return err_retry(ERR_CODE_TRY_AGAIN, text);
	if (code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
		return err_reject(ERR_CODE_RECORD_TOO_LARGE, text);
	if (code == RD_KAFKA_RESP_ERR__FATAL || code == RD_KAFKA_RESP_ERR__FENCED)
		return err_fatal(ERR_CODE_KAFKA_AWAY, text);
	return err_retry(is_denial(code) ? ERR_CODE_KAFKA_DENIED : ERR_CODE_KAFKA_AWAY, text);
}

void kafka_settings_tell(const struct kafka_ear *ear, const struct kafka_trouble *trouble, int code)
{
	bool distrust = code == RD_KAFKA_RESP_ERR__SSL && trouble->kind == KAFKA_TROUBLE_CONNECT;

	if (ear->fn == NULL || (!is_denial(code) && !distrust))
		return;
	struct kafka_trouble told = *trouble;
	told.e = kafka_settings_err(code);
	if (code == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED) {
		told.kind = KAFKA_TROUBLE_GROUP;
		told.about = "";
	}
	ear->fn(ear->arg, &told);
}

/* A fatal error hides what it was; who polls learns of it too. */
void kafka_settings_on_error(rd_kafka_t *handle, int code, const char *text, void *opaque)
{
	char why[256];
	const struct kafka_trouble trouble = {
		.kind = KAFKA_TROUBLE_CONNECT, .about = "", .text = text
	};

	if (code == RD_KAFKA_RESP_ERR__FATAL)
		code = rd_kafka_fatal_error(handle, why, sizeof why);
	kafka_settings_tell(opaque, &trouble, code);
}

void kafka_settings_headers(const struct rd_kafka_message_s *message, struct headers *ret_headers)
{
	rd_kafka_headers_t *from = NULL;
	const char *name;
	const void *value;
	size_t size;

	ret_headers->count = 0;
	if (rd_kafka_message_headers(message, &from) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return;
	for (size_t i = 0; i < ENVELOPE_READ_MAX && rd_kafka_header_get_all(from, i, &name, &value,
							    &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
		i++)
		if (!envelope_add(ret_headers, name, (struct str){ value, size }))
			return;
}
