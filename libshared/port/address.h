/*
 * Where calls to a host that somebody else named may go (CWE-918): a name is resolved once, every
 * address it has is judged, and the caller dials only addresses of the list it got. Anything that
 * is not plainly a public unicast address is refused, so a new kind of address is refused until
 * somebody allows it. A translation prefix of one's own network (RFC 6052 section 2.2) looks public
 * and cannot be known here: the network has to stop it.
 */
#ifndef ESTEIRA_PORT_ADDRESS_H
#define ESTEIRA_PORT_ADDRESS_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum { ADDRESS_LIST_MAX = 16, ADDRESS_TEXT_BYTES = 46, ADDRESS_HOST_MAX = 253 };

struct addrinfo;
struct sockaddr;

/* An IPv4 or IPv6 address in network byte order. */
struct address {
	uint8_t bytes[16];
	uint8_t len; /* 4 or 16 */
};

struct address_list {
	struct address items[ADDRESS_LIST_MAX]; /* the first is to be tried first */
	size_t count;
};

/* Why no call may go there, as two or three static words ("private"); NULL when it may. is_test:
 * 127.0.0.0/8 and ::1 are allowed, and nothing else that would not be. Any thread. */
const char *address_refusal(const struct address *address, bool is_test);

/* The usual text ("192.0.2.1", "2001:db8::1", no zone) and back; ret_text takes
 * ADDRESS_TEXT_BYTES. False for every other spelling. Any thread. */
bool address_parse(const char *text, struct address *ret_address);
void address_format(const struct address *address, char *ret_text);

/* The address of a socket, as for the check of one about to be connected; false when it is neither
 * IPv4 nor IPv6. Any thread. */
bool address_from(const struct sockaddr *from, struct address *ret_address);

/* The list of what getaddrinfo found. All of it is judged, the first ADDRESS_LIST_MAX are kept.
 * Failures as of address_resolve. Any thread. */
struct err address_take(const struct addrinfo *found, bool is_test, struct address_list *ret_list)
	ERR_MUST_USE;

/* Blocking, never on the loop's thread: as long as resolv.conf lets it. host: a name or an address
 * in any spelling, IPv6 without brackets; unless is_test, a name is absolute, so that no search
 * domain of this network completes it.
 *   ERR_REJECT bad-parameter  one of its addresses is refused, or host is empty or too long
 *   ERR_RETRY provider-away   it does not resolve, now
 *   ERR_FATAL out-of-memory */
struct err address_resolve(const char *host, bool is_test, struct address_list *ret_list)
	ERR_MUST_USE;

#endif
