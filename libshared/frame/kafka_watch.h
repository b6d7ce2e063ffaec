/*
 * What Kafka denies this process, and until when. A denial is no outage, the brokers answer, but it
 * is a fault of ours all the same: nothing is counted as an attempt, the process lives on, /readyz
 * says kafka-denied and one line of the log says which topic. It ends by itself once the right is
 * given: the group has taken us, the topic can be read, no write was refused for 10 s.
 */
#ifndef ESTEIRA_FRAME_KAFKA_WATCH_H
#define ESTEIRA_FRAME_KAFKA_WATCH_H

#include "base/err.h"

struct kafka_conf;
struct kafka_trouble;
struct kafka_watch;

/* conf is borrowed: topics that could not be read are tried with it. NULL without memory. */
struct kafka_watch *kafka_watch_new(const struct kafka_conf *conf);
void kafka_watch_free(struct kafka_watch *watch); /* NULL is fine */

/* For struct kafka_ear; arg is the watch. Any thread. */
void kafka_watch_note(void *arg, const struct kafka_trouble *trouble);

/* ERR_RETRY kafka-denied while something is. While a topic cannot be read it is tried every 5 s,
 * which takes up to 2 s. One thread. */
struct err kafka_watch_look(struct kafka_watch *watch) ERR_MUST_USE;

#endif
