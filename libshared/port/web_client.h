/*
 * Inside of port/web: who asked, when a proxy stands before us. X-Forwarded-For is a list to which
 * every proxy adds the address it was asked from (no RFC; RFC 7239 section 5.2 says the same of its
 * successor), and whoever asks may begin it with anything: it is read from its end, as long as the
 * address that wrote an entry is a proxy of ours. Not for handlers. Any thread.
 */
#ifndef ESTEIRA_PORT_WEB_CLIENT_H
#define ESTEIRA_PORT_WEB_CLIENT_H

#include "base/err.h"

struct web_request;

/* ERR_REJECT bad-config unless proxies is a comma-separated list of IPv4 and IPv6 addresses, each
 * alone or as a prefix (192.0.2.0/24, no bits behind it); NULL and "" are fine. */
struct err web_client_check(const char *proxies) ERR_MUST_USE;

/* The address of peer (text, as of the socket), or, while that is one of proxies, what it wrote. An
 * entry that is no plain address, or no entry, ends the search at the proxy that should have
 * written it. proxies: checked. request may be NULL. ret_text takes ADDRESS_TEXT_BYTES; "" when
 * peer is no address. */
void web_client_find(
	const char *proxies, const char *peer, const struct web_request *request, char *ret_text);

#endif
