/*
 * One request's head as a value: split, and checked for what a parser of bytes does not decide
 * (Host, framing, the target). Everything in it points into memory it owns. No I/O; any single
 * thread.
 */
#ifndef ESTEIRA_PORT_WEB_REQUEST_H
#define ESTEIRA_PORT_WEB_REQUEST_H

#include "base/err.h"
#include "base/str.h"

struct web_request_field {
	struct str name;
	struct str value; /* trimmed */
};

struct web_request {
	struct str method; /* a token, any case */
	struct str
		path; /* as sent, starts with "/"; empty of CONNECT to a host, which names none */
	struct str decoded; /* path, percent-decoded once: UTF-8, no control characters, no dot
			       segments */
	struct str query; /* as sent, well-formed escapes of UTF-8, without "?"; ptr NULL when there
			     is none */
	int64_t content_length; /* -1 when absent */
	int minor_version;	/* 0 or 1 */
	bool chunked;
	bool keep_alive;
	bool expects_continue;
	size_t field_count;
	struct web_request_field fields[];
};

/* Takes a head (request line, fields, empty line, CRLF ends, no folding, no control characters)
 * apart. ERR_REJECT bad-request or headers-too-large (more than max_fields), ERR_RETRY
 * out-of-memory. */
struct err web_request_new(struct str head, size_t max_fields, struct web_request **ret_request)
	ERR_MUST_USE;
void web_request_free(struct web_request *request); /* NULL is fine */

/* The first field of that name, any case; ptr NULL when absent. */
struct str web_request_header(const struct web_request *request, struct str name);

/* The same if it is the only one; ptr NULL when absent or repeated. */
struct str web_request_header_once(const struct web_request *request, struct str name);

/* Whether the request has a body, maybe an empty chunked one. */
bool web_request_has_body(const struct web_request *request);

/* The first raw value of a query parameter whose decoded name is name; ptr NULL when absent. */
struct str web_request_query(const struct web_request *request, struct str name);

/* Percent-decodes into ret_text (text.len bytes of room) and returns the length; plus: "+" is a
 * space. Escapes must be well-formed. */
size_t web_request_decode(struct str text, bool plus, char *ret_text);

#endif
