/*
 * TLS of the public port: reads its certificate again when the files change, tells health, metrics
 * and log how it stands. Without one the port is plain, for an ingress in front of it, and both say
 * so.
 */
#ifndef ESTEIRA_INTAKE_API_SECURE_H
#define ESTEIRA_INTAKE_API_SECURE_H

#include "base/err.h"

struct buf;
struct intake;
struct secure;
struct tls;

/* Loop thread. ERR_FATAL bad-config for files that are no pair, out-of-memory. */
struct err secure_open(struct intake *intake, struct secure **ret_secure) ERR_MUST_USE;

/* After the server and its connections have gone. Loop thread. NULL is fine. */
void secure_close(struct secure *secure);

/* What the port is served with; NULL: plain. */
struct tls *secure_tls(const struct secure *secure);

/* Appends ,"http":{"tls":"off"} or the least version, the certificate's end and what is wrong with
 * its files, for /readyz. NULL is fine. Loop thread. */
void secure_write(const struct secure *secure, struct buf *out);

#endif
