/* The table of librdkafka settings; for port/kafka_*.c alone. */
#ifndef ESTEIRA_PORT_KAFKA_SETTINGS_H
#define ESTEIRA_PORT_KAFKA_SETTINGS_H

#include "port/kafka.h"

struct rd_kafka_conf_s;
struct rd_kafka_s;
struct rd_kafka_message_s;

/* A configuration with the common and the consumer's or producer's settings; NULL when the library
 * refuses one. The caller owns it. */
struct rd_kafka_conf_s *kafka_settings_make(
	const struct kafka_conf *conf, bool consumer, const char *group);

/* Tells ear of an error that is a denial, or that a connection cannot be trusted; of nothing else.
 */
void kafka_settings_tell(
	const struct kafka_ear *ear, const struct kafka_trouble *trouble, int code);

/* The error callback of a handle whose opaque begins with a struct kafka_ear. */
void kafka_settings_on_error(struct rd_kafka_s *handle, int code, const char *text, void *opaque);

/* The headers of a message, borrowed from it; those beyond ENVELOPE_READ_MAX are left out, which
 * the envelope's reader misses and refuses. */
void kafka_settings_headers(const struct rd_kafka_message_s *message, struct headers *ret_headers);

/* Any error of the library as what to do next. */
struct err kafka_settings_err(int code);

#endif
