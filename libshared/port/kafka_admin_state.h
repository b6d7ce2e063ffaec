/* What the files of the administration share; for port/kafka_admin*.c alone. */
#ifndef ESTEIRA_PORT_KAFKA_ADMIN_STATE_H
#define ESTEIRA_PORT_KAFKA_ADMIN_STATE_H

#include "port/kafka_admin.h"

struct rd_kafka_s;
struct rd_kafka_queue_s;

struct kafka_admin {
	struct rd_kafka_s *handle;
	struct rd_kafka_queue_s *queue;
};

enum { KAFKA_ADMIN_GRACE_MS = 1000 }; /* an answer takes that much longer than its request */

#endif
