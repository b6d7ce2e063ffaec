/*
 * redis://[[user]:password@]host[:port][/db] as IANA registered it, rediss:// for the same under
 * TLS; parts are percent-encoded.
 * What is not understood is refused, never guessed: a wrong database number would mix two owners'
 * keys.
 */
#ifndef ESTEIRA_PORT_REDIS_URL_H
#define ESTEIRA_PORT_REDIS_URL_H

#include "base/err.h"
#include "base/str.h"

struct secret;

enum { REDIS_URL_PART_BYTES = 256 };

struct redis_url {
	char host[REDIS_URL_PART_BYTES]; /* IPv6 without brackets */
	char user[REDIS_URL_PART_BYTES]; /* "": the default user */
	char password[REDIS_URL_PART_BYTES];
	uint16_t port;
	uint32_t db;
	bool is_tls;
};

/* Any thread. ERR_FATAL bad-config; the message names the part, never its value. */
struct err redis_url_parse(const char *text, struct redis_url *ret_url) ERR_MUST_USE;

/* The current value of password in place of the URL's own; NULL, or a value of more than
 * REDIS_URL_PART_BYTES, which no server takes, leaves it as it is. */
void redis_url_take_password(struct redis_url *url, struct secret *password);

#endif
