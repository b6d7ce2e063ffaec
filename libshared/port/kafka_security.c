#include "port/kafka_security.h"

#include <string.h>

#include <librdkafka/rdkafka.h>

enum { WHY_BYTES = 128 };

static bool is_set(const char *text)
{
	return text != NULL && text[0] != '\0';
}

static struct err check_plaintext(const struct kafka_security *security)
{
	if (is_set(security->ca_file) || is_set(security->cert_file) || is_set(security->key_file))
		return err_fatal(ERR_CODE_BAD_CONFIG,
			"ESTEIRA_KAFKA_SECURITY: plaintext uses no ESTEIRA_KAFKA_CA_FILE, "
			"_CERT_FILE or _KEY_FILE; set ssl or sasl_ssl");
	return err_ok();
}

static struct err check_tls(const struct kafka_security *security)
{
	if (!is_set(security->ca_file))
		return err_fatal(ERR_CODE_BAD_CONFIG,
			"ESTEIRA_KAFKA_CA_FILE: must be set when ESTEIRA_KAFKA_SECURITY is ssl or "
			"sasl_ssl");
	if (is_set(security->cert_file) != is_set(security->key_file))
		return err_fatal(ERR_CODE_BAD_CONFIG,
			"ESTEIRA_KAFKA_CERT_FILE and ESTEIRA_KAFKA_KEY_FILE: one is set without "
			"the other");
	return err_ok();
}

static struct err check_sasl(const struct kafka_security *security, bool sasl)
{
	bool some = is_set(security->user) || is_set(security->password);
	bool all = is_set(security->user) && is_set(security->password);

	if (some && !sasl)
		return err_fatal(ERR_CODE_BAD_CONFIG,
			"ESTEIRA_KAFKA_SASL_USER and _PASSWORD are used by "
			"ESTEIRA_KAFKA_SECURITY sasl_ssl alone");
	if (sasl && !all)
		return err_fatal(ERR_CODE_BAD_CONFIG,
			"ESTEIRA_KAFKA_SASL_USER and ESTEIRA_KAFKA_SASL_PASSWORD: both must be set "
			"for sasl_ssl");
	return err_ok();
}

struct err kafka_security_check(const struct kafka_security *security)
{
	bool plain = strcmp(security->protocol, "plaintext") == 0;

	TRY(plain ? check_plaintext(security) : check_tls(security));
	return check_sasl(security, strcmp(security->protocol, "sasl_ssl") == 0);
}

static bool set(rd_kafka_conf_t *conf, const char *name, const char *value, char *why)
{
	return !is_set(value) ||
	       rd_kafka_conf_set(conf, name, value, why, WHY_BYTES) == RD_KAFKA_CONF_OK;
}

bool kafka_security_apply(const struct kafka_security *security, rd_kafka_conf_t *conf, char *why)
{
	if (security == NULL || strcmp(security->protocol, "plaintext") == 0)
		return true;
	const struct {
		const char *name, *value;
	} settings[] = {
		{ "security.protocol", security->protocol },
		{ "ssl.ca.location", security->ca_file },
		{ "ssl.certificate.location", security->cert_file },
		{ "ssl.key.location", security->key_file },
		{ "enable.ssl.certificate.verification", "true" },
		/* the default since 2.0, said because it is what makes a name worth anything */
		{ "ssl.endpoint.identification.algorithm", "https" },
		{ "sasl.mechanism", is_set(security->user) ? security->mechanism : "" },
		{ "sasl.username", security->user },
		{ "sasl.password", security->password },
	};
	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
		if (!set(conf, settings[i].name, settings[i].value, why))
			return false;
	return true;
}

static void drop_log(const rd_kafka_t *handle, int level, const char *facility, const char *text)
{
	(void)handle;
	(void)level;
	(void)facility;
	(void)text;
}

struct err kafka_security_try(const struct kafka_security *security, struct arena *arena)
{
	char why[512] = "";

	TRY(kafka_security_check(security));
	if (strcmp(security->protocol, "plaintext") == 0)
		return err_ok();
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_conf_set_log_cb(conf, drop_log);
	rd_kafka_t *handle = kafka_security_apply(security, conf, why)
				     ? rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why)
				     : NULL;
	if (handle != NULL) {
		rd_kafka_destroy(handle);
		return err_ok();
	}
	rd_kafka_conf_destroy(conf);
	const char *msg = arena_printf(arena, "the settings ESTEIRA_KAFKA_*: %s", why);
	return err_fatal(ERR_CODE_BAD_CONFIG, msg == NULL ? "ESTEIRA_KAFKA_*: refused" : msg);
}
