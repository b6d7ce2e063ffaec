/* The table of librdkafka settings; for port/kafka_*.c alone. */
#ifndef ESTEIRA_PORT_KAFKA_SETTINGS_H
#define ESTEIRA_PORT_KAFKA_SETTINGS_H

#include "port/kafka.h"

struct rd_kafka_conf_s;
struct rd_kafka_message_s;

/* A configuration with the common and the consumer's or producer's settings; NULL when the library
 * refuses one. The caller owns it. */
struct rd_kafka_conf_s *kafka_settings_make(
	const struct kafka_conf *conf, bool consumer, const char *group);

/* The headers of a message, borrowed from it; those beyond ENVELOPE_READ_MAX are left out, which
 * the envelope's reader misses and refuses. */
void kafka_settings_headers(const struct rd_kafka_message_s *message, struct headers *ret_headers);

/* Any error of the library as what to do next. */
struct err kafka_settings_err(int code);

#endif
