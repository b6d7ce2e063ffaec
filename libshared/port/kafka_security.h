/*
 * How a Kafka client proves who it is and whom it believes: the settings every handle of the
 * process is made with. Over TLS the broker's name is always verified; there is no way to switch
 * that off. Files are read when a handle is made: a renewed certificate is seen by the next
 * process.
 */
#ifndef ESTEIRA_PORT_KAFKA_SECURITY_H
#define ESTEIRA_PORT_KAFKA_SECURITY_H

#include "base/arena.h"
#include "base/err.h"

struct rd_kafka_conf_s;

/* Texts are borrowed; "" is not set. */
struct kafka_security {
	const char *protocol;  /* plaintext, ssl or sasl_ssl */
	const char *ca_file;   /* PEM: who signs the brokers' certificates */
	const char *cert_file; /* PEM: our certificate, with those between it and its root */
	const char *key_file;  /* PEM, not encrypted */
	const char *mechanism; /* SCRAM-SHA-512 or SCRAM-SHA-256 */
	const char *user, *password;
};

/* A set that means something: TLS has a ca_file, a certificate its key, SASL its user and password,
 * and nothing is set that would not be used. ERR_FATAL bad-config names the setting; PURE. */
struct err kafka_security_check(const struct kafka_security *security) ERR_MUST_USE;

/* The check above, then a handle is made and thrown away, so that files that cannot be read or do
 * not belong together are found before anything starts. ERR_FATAL bad-config with the library's
 * words, in the arena. Main thread. */
struct err kafka_security_try(const struct kafka_security *security, struct arena *arena)
	ERR_MUST_USE;

/* For port/kafka_*.c: the library's settings. NULL security is plaintext. False: one is refused,
 * and why (128 bytes) says which. */
bool kafka_security_apply(
	const struct kafka_security *security, struct rd_kafka_conf_s *conf, char *why);

#endif
