/* The settings of a Kafka client's security, alike in every program. */
#ifndef ESTEIRA_FRAME_KAFKA_CONF_H
#define ESTEIRA_FRAME_KAFKA_CONF_H

#include "frame/conf.h"

/* Into a struct kafka_security (port/kafka_security.h). */
extern const struct conf_item kafka_conf_items[];

#endif
