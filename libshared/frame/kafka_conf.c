#include "frame/kafka_conf.h"

#include <stddef.h>

#include "port/kafka_security.h"

#define AT(member) offsetof(struct kafka_security, member)

const struct conf_item kafka_conf_items[] = {
	{ "ESTEIRA_KAFKA_SECURITY", CONF_CHOICE, AT(protocol), "plaintext", 0, 0,
		"plaintext|ssl|sasl_ssl",
		"How the brokers are spoken to; over TLS their names are verified." },
	{ "ESTEIRA_KAFKA_CA_FILE", CONF_TEXT, AT(ca_file), "", 0, 0, NULL,
		"File (PEM) of the authority that signed the brokers' certificates." },
	{ "ESTEIRA_KAFKA_CERT_FILE", CONF_TEXT, AT(cert_file), "", 0, 0, NULL,
		"File (PEM) of this program's certificate; its name is the principal." },
	{ "ESTEIRA_KAFKA_KEY_FILE", CONF_TEXT, AT(key_file), "", 0, 0, NULL,
		"File (PEM) of the certificate's key, not encrypted." },
	{ "ESTEIRA_KAFKA_SASL_MECHANISM", CONF_CHOICE, AT(mechanism), "SCRAM-SHA-512", 0, 0,
		"SCRAM-SHA-512|SCRAM-SHA-256",
		"For sasl_ssl. Needs librdkafka 2.6.1 at Kafka 4 (docs/secure.md)." },
	{ "ESTEIRA_KAFKA_SASL_USER", CONF_TEXT, AT(user), "", 0, 0, NULL,
		"For sasl_ssl: the user, which is the principal." },
	{ "ESTEIRA_KAFKA_SASL_PASSWORD", CONF_SECRET, AT(password), "", 0, 0, NULL,
		"For sasl_ssl: the user's password." },
	{ NULL, CONF_TEXT, 0, NULL, 0, 0, NULL, NULL },
};
