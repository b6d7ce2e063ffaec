/*
 * Where a record goes: partition = (murmur2(tenant) + murmur2(ordering key) mod k) mod N, computed
 * once, when the outbox row is written. With k = 1 this is what Kafka's Java producer does for the
 * same key, so foreign tools find a tenant's records where they expect them. Source:
 * org.apache.kafka.common.utils.Utils.murmur2 and toPositive.
 */
#ifndef ESTEIRA_MODEL_PARTITION_H
#define ESTEIRA_MODEL_PARTITION_H

#include "base/str.h"
#include "model/tenant.h"

/* The 32-bit murmur2 of the Java client, seed 0x9747b28c, made non-negative. */
uint32_t partition_murmur2(struct str bytes);

/* The partition in 0..count-1. spread: k >= 1, the number of partitions a tenant may use; it is
 * capped at count. count >= 1. Any thread. */
int32_t partition_of(
	struct tenant tenant, struct str ordering_key, uint32_t spread, uint32_t count);

#endif
