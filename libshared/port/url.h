/*
 * A URL that somebody else gave us to call: https, an ASCII host, a usual port, a path. It takes
 * less than RFC 3986 does: whatever two parsers could read differently is refused, because the one
 * that judges the host is not the one that dials it. Its text then goes to libcurl as it is.
 */
#ifndef ESTEIRA_PORT_URL_H
#define ESTEIRA_PORT_URL_H

#include "base/err.h"
#include "base/str.h"

enum { URL_MAX_BYTES = 2048, URL_HOST_BYTES = 254 };

struct url {
	bool is_tls;
	char host[URL_HOST_BYTES]; /* lower case; IPv6 in its usual form, without brackets */
	uint16_t port;
	struct str path; /* with the query, from the first '/' or '?' on; may be empty; in text */
};

/*
 * Any thread. ERR_REJECT bad-parameter; the message names the part, never its value. Refused: more
 * than URL_MAX_BYTES, any scheme but a lower-case "https", user or password, a fragment, characters
 * that RFC 3986 wants percent-encoded, a host that is no domain name of letters, digits and hyphens
 * (IDN: its "xn--" form) with a dot and not one at its end, a number as a host but for the usual
 * spelling of an address, a port other than 443 and 8443.
 * is_test: "http" (port 80), every port and a host without a dot ("localhost") are taken, too.
 * Says nothing about where the host is: address_resolve does.
 */
struct err url_parse(struct str text, bool is_test, struct url *ret_url) ERR_MUST_USE;

#endif
