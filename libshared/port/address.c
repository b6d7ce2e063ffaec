#include "port/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

struct block {
	uint8_t prefix[16]; /* what is left out is zero */
	uint8_t bits;
	const char *why;
	bool allowed_in_test;
};

/*
 * The IANA Special-Purpose Address Registries (RFC 6890, amended by RFC 8190) as of RFC 9780, in
 * full: also what they call globally reachable (AS112, AMT), because no receiver lives there. Added
 * to them: multicast (RFC 5771, RFC 4291), site-local (RFC 3879), IPv4-compatible (RFC 4291) and
 * the relays of 6to4 (RFC 7526). The first row that matches gives the reason.
 */
static const struct block blocks_v4[] = {
	{ { 0 }, 8, "this network", false },		      /* RFC 791 */
	{ { 10 }, 8, "private", false },		      /* RFC 1918 */
	{ { 100, 64 }, 10, "carrier NAT", false },	      /* RFC 6598 */
	{ { 127 }, 8, "loopback", true },		      /* RFC 1122 */
	{ { 169, 254 }, 16, "link-local", false },	      /* RFC 3927 */
	{ { 172, 16 }, 12, "private", false },		      /* RFC 1918 */
	{ { 192, 0, 0 }, 24, "protocol assignments", false }, /* RFC 6890 */
	{ { 192, 0, 2 }, 24, "documentation", false },	      /* RFC 5737 */
	{ { 192, 31, 196 }, 24, "AS112", false },	      /* RFC 7535 */
	{ { 192, 52, 193 }, 24, "AMT", false },		      /* RFC 7450 */
	{ { 192, 88, 99 }, 24, "6to4 relay", false },	      /* RFC 7526 */
	{ { 192, 168 }, 16, "private", false },		      /* RFC 1918 */
	{ { 192, 175, 48 }, 24, "AS112", false },	      /* RFC 7534 */
	{ { 198, 18 }, 15, "benchmarking", false },	      /* RFC 2544 */
	{ { 198, 51, 100 }, 24, "documentation", false },     /* RFC 5737 */
	{ { 203, 0, 113 }, 24, "documentation", false },      /* RFC 5737 */
	{ { 224 }, 4, "multicast", false },		      /* RFC 5771 */
	{ { 255, 255, 255, 255 }, 32, "broadcast", false },   /* RFC 8190 */
	{ { 240 }, 4, "reserved", false },		      /* RFC 1112 */
};

/* Only 2000::/3 is given out as global unicast (RFC 4291 section 2.4): the last three rows are all
 * the rest. Whatever carries an IPv4 address is refused without a look at that address. */
static const struct block blocks_v6[] = {
	{ { 0 }, 128, "unspecified", false },			 /* RFC 4291 */
	{ { [15] = 1 }, 128, "loopback", true },		 /* RFC 4291 */
	{ { [10] = 0xff, 0xff }, 96, "IPv4-mapped", false },	 /* RFC 4291 */
	{ { 0 }, 96, "IPv4-compatible", false },		 /* RFC 4291 */
	{ { 0, 0x64, 0xff, 0x9b }, 96, "NAT64", false },	 /* RFC 6052 */
	{ { 0, 0x64, 0xff, 0x9b, 0, 1 }, 48, "NAT64", false },	 /* RFC 8215 */
	{ { 1 }, 64, "discard", false },			 /* RFC 6666 */
	{ { 1, [7] = 1 }, 64, "dummy prefix", false },		 /* RFC 9780 */
	{ { 0x20, 1 }, 32, "Teredo", false },			 /* RFC 4380 */
	{ { 0x20, 1, 0, 2 }, 48, "benchmarking", false },	 /* RFC 5180 */
	{ { 0x20, 1, 0, 0x10 }, 28, "ORCHID", false },		 /* RFC 4843 */
	{ { 0x20, 1, 0, 0x20 }, 28, "ORCHID", false },		 /* RFC 7343 */
	{ { 0x20, 1, 0, 0x30 }, 28, "DRIP", false },		 /* RFC 9374 */
	{ { 0x20, 1 }, 23, "protocol assignments", false },	 /* RFC 2928 */
	{ { 0x20, 1, 0x0d, 0xb8 }, 32, "documentation", false }, /* RFC 3849 */
	{ { 0x20, 2 }, 16, "6to4", false },			 /* RFC 3056 */
	{ { 0x26, 0x20, 0, 0x4f, 0x80 }, 48, "AS112", false },	 /* RFC 7534 */
	{ { 0x3f, 0xff }, 20, "documentation", false },		 /* RFC 9637 */
	{ { 0x5f }, 16, "segment routing", false },		 /* RFC 9602 */
	{ { 0xfc }, 7, "private", false },			 /* RFC 4193 */
	{ { 0xfe, 0x80 }, 10, "link-local", false },		 /* RFC 4291 */
	{ { 0xfe, 0xc0 }, 10, "site-local", false },		 /* RFC 3879 */
	{ { 0xff }, 8, "multicast", false },			 /* RFC 4291 */
	{ { 0 }, 3, "not allocated", false },
	{ { 0x40 }, 2, "not allocated", false },
	{ { 0x80 }, 1, "not allocated", false },
};

static bool is_inside(const uint8_t *bytes, const struct block *block)
{
	size_t whole = block->bits / 8;
	unsigned mask = 0xff00u >> block->bits % 8 & 0xff;

	if (memcmp(bytes, block->prefix, whole) != 0)
		return false;
	return mask == 0 || ((bytes[whole] ^ block->prefix[whole]) & mask) == 0;
}

const char *address_refusal(const struct address *address, bool is_test)
{
	bool is_v4 = address->len == 4;
	const struct block *blocks = is_v4 ? blocks_v4 : blocks_v6;
	size_t count =
		is_v4 ? sizeof blocks_v4 / sizeof *blocks_v4 : sizeof blocks_v6 / sizeof *blocks_v6;

	for (size_t i = 0; i < count; i++)
		if (is_inside(address->bytes, blocks + i))
			return is_test && blocks[i].allowed_in_test ? NULL : blocks[i].why;
	return NULL;
}

bool address_parse(const char *text, struct address *ret_address)
{
	struct address address = { .len = 4 };

	if (inet_pton(AF_INET, text, address.bytes) != 1) {
		address.len = 16;
		if (inet_pton(AF_INET6, text, address.bytes) != 1)
			return false;
	}
	*ret_address = address;
	return true;
}

void address_format(const struct address *address, char *ret_text)
{
	int family = address->len == 4 ? AF_INET : AF_INET6;

	inet_ntop(family, address->bytes, ret_text, ADDRESS_TEXT_BYTES);
}

bool address_from(const struct sockaddr *from, struct address *ret_address)
{
	struct address address = { .len = 4 };

	if (from->sa_family == AF_INET) {
		struct sockaddr_in v4;
		memcpy(&v4, from, sizeof v4);
		memcpy(address.bytes, &v4.sin_addr, 4);
	} else if (from->sa_family == AF_INET6) {
		struct sockaddr_in6 v6;
		memcpy(&v6, from, sizeof v6);
		memcpy(address.bytes, &v6.sin6_addr, 16);
		address.len = 16;
	} else {
		return false;
	}
	*ret_address = address;
	return true;
}

static struct err refused(void)
{
	/* not which address nor why: the caller may be told, and the network is not their business
	 */
	return err_reject(ERR_CODE_BAD_PARAMETER, "the host has an address that no call may go to");
}

struct err address_take(const struct addrinfo *found, bool is_test, struct address_list *ret_list)
{
	struct address_list list = { .count = 0 };

	for (; found != NULL; found = found->ai_next) {
		struct address address;
		if (!address_from(found->ai_addr, &address) ||
			address_refusal(&address, is_test) != NULL)
			return refused();
		if (list.count < ADDRESS_LIST_MAX)
			list.items[list.count++] = address;
	}
	if (list.count == 0)
		return err_retry(ERR_CODE_PROVIDER_AWAY, "the host has no address");
	*ret_list = list;
	return err_ok();
}

static int look_up(const char *name, int flags, struct addrinfo **ret_found)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };

	hints.ai_flags = flags;
	return getaddrinfo(name, NULL, &hints, ret_found);
}

struct err address_resolve(const char *host, bool is_test, struct address_list *ret_list)
{
	char name[ADDRESS_HOST_MAX + 2];
	struct addrinfo *found = NULL;
	size_t len = strlen(host);

	if (len == 0 || len > ADDRESS_HOST_MAX)
		return err_reject(ERR_CODE_BAD_PARAMETER, "the host is empty or too long");
	snprintf(name, sizeof name, "%s%s", host, is_test || host[len - 1] == '.' ? "" : ".");
	int code = look_up(host, AI_NUMERICHOST, &found);
	if (code == EAI_NONAME)
		code = look_up(name, 0, &found);
	if (code == EAI_MEMORY)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory to resolve a host");
	if (code != 0)
		return err_retry(ERR_CODE_PROVIDER_AWAY, "the host's name does not resolve");
	struct err e = address_take(found, is_test, ret_list);
	freeaddrinfo(found);
	return e;
}
