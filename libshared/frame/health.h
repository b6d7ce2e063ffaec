/*
 * What is known about the servers this process stands on, and whether its own threads still turn.
 * Reports come from the calls that are made anyway; nothing here waits. /livez answers from the
 * ticks, /readyz names what is down.
 */
#ifndef ESTEIRA_FRAME_HEALTH_H
#define ESTEIRA_FRAME_HEALTH_H

#include "base/err.h"
#include "base/str.h"

struct health;
struct metrics;

enum health_part {
	HEALTH_POSTGRES,
	HEALTH_KAFKA,
	HEALTH_REDIS,
	HEALTH_STORAGE,
	HEALTH_KEYS, /* the master key, and the service that keeps it */
	HEALTH_PARTS
};

/* NULL without memory. */
struct health *health_new(void);
void health_free(struct health *health);

/* From now on metrics say what is up and how often it went away; they must outlive health's last
 * report. Before any thread reports. */
void health_measure(struct health *health, struct metrics *metrics);

/* A call to this server ended; took_us < 0 when it was not measured. Only dependency failures count
 * as down. Any thread. */
void health_report(struct health *health, enum health_part part, struct err e, int64_t took_us);

/* Which part an error is about; HEALTH_PARTS when none. */
enum health_part health_part_of(struct err e);
const char *health_part_name(enum health_part part);

/* A thread of the process came round; the poll thread calls it. Any thread. */
void health_tick(struct health *health);

struct health_view {
	bool known, up;
	int64_t latency_us; /* of the last good call; -1 = never measured */
	int64_t since_ms;   /* how long it has been so */
	const char *why;    /* error code of the last failure while down, else NULL */
};
void health_look(const struct health *health, enum health_part part, struct health_view *ret_view);

/* Milliseconds since the last tick; 0 before the first. */
int64_t health_tick_age_ms(const struct health *health);

/* {"status":"ok|degraded","parts":{"postgres":{"status":"up","latency_ms":1.2},...}} of the parts
 * ever reported. */
void health_write(const struct health *health, struct buf *out);
bool health_all_up(const struct health *health);

#endif
