/*
 * Every refused block by its first and last address and by its neighbours, written down apart from
 * the table of the code; and what getaddrinfo may come back with. No name server is asked.
 */
#include "port/address.h"

#include <check.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* before and after: why the neighbour is refused; NULL: it is allowed. */
static const struct {
	const char *first, *last, *why, *before, *after;
} rows[] = {
	{ "0.0.0.0", "0.255.255.255", "this network", "", NULL },
	{ "10.0.0.0", "10.255.255.255", "private", NULL, NULL },
	{ "100.64.0.0", "100.127.255.255", "carrier NAT", NULL, NULL },
	{ "127.0.0.0", "127.255.255.255", "loopback", NULL, NULL },
	{ "169.254.0.0", "169.254.255.255", "link-local", NULL, NULL },
	{ "172.16.0.0", "172.31.255.255", "private", NULL, NULL },
	{ "192.0.0.0", "192.0.0.255", "protocol assignments", NULL, NULL },
	{ "192.0.2.0", "192.0.2.255", "documentation", NULL, NULL },
	{ "192.31.196.0", "192.31.196.255", "AS112", NULL, NULL },
	{ "192.52.193.0", "192.52.193.255", "AMT", NULL, NULL },
	{ "192.88.99.0", "192.88.99.255", "6to4 relay", NULL, NULL },
	{ "192.168.0.0", "192.168.255.255", "private", NULL, NULL },
	{ "192.175.48.0", "192.175.48.255", "AS112", NULL, NULL },
	{ "198.18.0.0", "198.19.255.255", "benchmarking", NULL, NULL },
	{ "198.51.100.0", "198.51.100.255", "documentation", NULL, NULL },
	{ "203.0.113.0", "203.0.113.255", "documentation", NULL, NULL },
	{ "224.0.0.0", "239.255.255.255", "multicast", NULL, "reserved" },
	{ "240.0.0.0", "255.255.255.254", "reserved", "multicast", "broadcast" },
	{ "255.255.255.255", "255.255.255.255", "broadcast", "reserved", "" },

	{ "::", "::", "unspecified", "", "loopback" },
	{ "::1", "::1", "loopback", "unspecified", "IPv4-compatible" },
	{ "::2", "::ffff:ffff", "IPv4-compatible", "loopback", "not allocated" },
	{ "::ffff:0.0.0.0", "::ffff:255.255.255.255", "IPv4-mapped", "not allocated",
		"not allocated" },
	{ "64:ff9b::", "64:ff9b::255.255.255.255", "NAT64", "not allocated", "not allocated" },
	{ "64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "NAT64", "not allocated",
		"not allocated" },
	{ "100::", "100::ffff:ffff:ffff:ffff", "discard", "not allocated", "dummy prefix" },
	{ "100:0:0:1::", "100::1:ffff:ffff:ffff:ffff", "dummy prefix", "discard", "not allocated" },
	{ "2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", "Teredo", NULL,
		"protocol assignments" },
	{ "2001:1::", "2001:1:ffff:ffff:ffff:ffff:ffff:ffff", "protocol assignments", "Teredo",
		"benchmarking" },
	{ "2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff", "benchmarking", "protocol assignments",
		"protocol assignments" },
	{ "2001:10::", "2001:1f:ffff:ffff:ffff:ffff:ffff:ffff", "ORCHID", "protocol assignments",
		"ORCHID" },
	{ "2001:20::", "2001:2f:ffff:ffff:ffff:ffff:ffff:ffff", "ORCHID", "ORCHID", "DRIP" },
	{ "2001:30::", "2001:3f:ffff:ffff:ffff:ffff:ffff:ffff", "DRIP", "ORCHID",
		"protocol assignments" },
	{ "2001:40::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "protocol assignments", "DRIP",
		NULL },
	{ "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "documentation", NULL, NULL },
	{ "2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "6to4", NULL, NULL },
	{ "2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff", "AS112", NULL, NULL },
	{ "3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "documentation", NULL, NULL },
	{ "4000::", "5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "not allocated", NULL,
		"segment routing" },
	{ "5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "segment routing", "not allocated",
		"not allocated" },
	{ "5f01::", "5fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "not allocated", "segment routing",
		"not allocated" },
	{ "6000::", "7fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "not allocated", "not allocated",
		"not allocated" },
	{ "8000::", "bfff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "not allocated", "not allocated",
		"not allocated" },
	{ "c000::", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "not allocated", "not allocated",
		"private" },
	{ "fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "private", "not allocated",
		"not allocated" },
	{ "fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "link-local", "not allocated",
		"site-local" },
	{ "fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "site-local", "link-local",
		"multicast" },
	{ "ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "multicast", "site-local", "" },
	{ "0:0:0:1::", "64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff", "not allocated", "not allocated",
		"NAT64" },
	{ "100:0:0:2::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "not allocated", "dummy prefix",
		NULL },
};

static struct address of(const char *text)
{
	struct address address;

	ck_assert_msg(address_parse(text, &address), "%s", text);
	return address;
}

static void expect(const char *row, struct address address, const char *why, bool is_test)
{
	char text[ADDRESS_TEXT_BYTES];
	const char *got = address_refusal(&address, is_test);

	address_format(&address, text);
	if (why == NULL)
		ck_assert_msg(got == NULL, "%s: %s is refused as %s", row, text, got);
	else
		ck_assert_msg(got != NULL && strcmp(got, why) == 0, "%s: %s is %s, not %s", row,
			text, got == NULL ? "allowed" : got, why);
}

/* The address one above or below; "" as the expectation: there is none. */
static struct address next_to(struct address address, int step)
{
	for (size_t i = address.len; i-- > 0;) {
		address.bytes[i] = (uint8_t)(address.bytes[i] + step);
		if (address.bytes[i] != (step > 0 ? 0 : 0xff))
			break;
	}
	return address;
}

START_TEST(blocks)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *row = rows[i].first;
		struct address first = of(row), last = of(rows[i].last);
		bool is_loopback = strcmp(rows[i].why, "loopback") == 0;

		expect(row, first, rows[i].why, false);
		expect(row, last, rows[i].why, false);
		expect(row, first, is_loopback ? NULL : rows[i].why, true);
		expect(row, last, is_loopback ? NULL : rows[i].why, true);
		if (rows[i].before == NULL || rows[i].before[0] != '\0')
			expect(row, next_to(first, -1), rows[i].before, false);
		if (rows[i].after == NULL || rows[i].after[0] != '\0')
			expect(row, next_to(last, 1), rows[i].after, false);
	}
}
END_TEST

START_TEST(known_targets)
{
	static const struct {
		const char *text;
		const char *why;
	} targets[] = {
		{ "169.254.169.254", "link-local" },
		{ "fd00:ec2::254", "private" },
		{ "100.100.100.200", "carrier NAT" },
		{ "::ffff:127.0.0.1", "IPv4-mapped" },
		{ "::ffff:8.8.8.8", "IPv4-mapped" },
		{ "::127.0.0.1", "IPv4-compatible" },
		{ "::8.8.8.8", "IPv4-compatible" },
		{ "64:ff9b::a00:1", "NAT64" },
		{ "64:ff9b::808:808", "NAT64" },
		{ "2002:7f00:1::", "6to4" },
		{ "1.1.1.1", NULL },
		{ "8.8.8.8", NULL },
		{ "1.0.0.0", NULL },
		{ "223.255.255.255", NULL },
		{ "2606:4700:4700::1111", NULL },
		{ "2001:4860:4860::8888", NULL },
		{ "2a00:1450::1", NULL },
	};

	for (size_t i = 0; i < COUNT(targets); i++)
		expect(targets[i].text, of(targets[i].text), targets[i].why, false);
	expect("mapped", of("::ffff:127.0.0.1"), "IPv4-mapped", true);
}
END_TEST

START_TEST(text)
{
	static const char *const odd[] = { "", "1", "127.1", "0x7f.0.0.1", "2130706433",
		"127.0.0.01", "1.2.3.256", "1.2.3.4.", "[::1]", "fe80::1%lo", "::g", "1::2::3" };
	struct address address = { .len = 9 };
	char back[ADDRESS_TEXT_BYTES];

	for (size_t i = 0; i < COUNT(odd); i++)
		ck_assert_msg(!address_parse(odd[i], &address), "%s", odd[i]);
	ck_assert_uint_eq(address.len, 9);
	ck_assert(address_parse("0:0:0::0:0:ABCD", &address));
	address_format(&address, back);
	ck_assert_str_eq(back, "::abcd");
}
END_TEST

enum { CHAIN_MAX = 20 };

struct chain {
	struct sockaddr_storage sockets[CHAIN_MAX];
	struct addrinfo items[CHAIN_MAX];
};

static const struct addrinfo *chain_of(struct chain *chain, const char *const *texts, size_t count)
{
	*chain = (struct chain){ 0 };
	for (size_t i = 0; i < count; i++) {
		struct address address = of(texts[i]);
		struct sockaddr_in v4 = { .sin_family = AF_INET };
		struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };

		memcpy(&v4.sin_addr, address.bytes, 4);
		memcpy(&v6.sin6_addr, address.bytes, 16);
		if (address.len == 4)
			memcpy(&chain->sockets[i], &v4, sizeof v4);
		else
			memcpy(&chain->sockets[i], &v6, sizeof v6);
		chain->items[i].ai_addr = (struct sockaddr *)&chain->sockets[i];
		chain->items[i].ai_next = i + 1 < count ? chain->items + i + 1 : NULL;
	}
	return count == 0 ? NULL : chain->items;
}

START_TEST(one_bad_address_refuses_the_host)
{
	static const struct {
		const char *texts[4];
		enum err_kind kind, in_test;
	} cases[] = {
		{ { "1.1.1.1" }, ERR_OK, ERR_OK },
		{ { "1.1.1.1", "2606:4700::1" }, ERR_OK, ERR_OK },
		{ { "1.1.1.1", "10.0.0.1" }, ERR_REJECT, ERR_REJECT },
		{ { "10.0.0.1", "1.1.1.1" }, ERR_REJECT, ERR_REJECT },
		{ { "1.1.1.1", "8.8.8.8", "::ffff:1.1.1.1" }, ERR_REJECT, ERR_REJECT },
		{ { "1.1.1.1", "127.0.0.1" }, ERR_REJECT, ERR_OK },
		{ { "::1", "127.0.0.1" }, ERR_REJECT, ERR_OK },
		{ { "::1", "169.254.169.254" }, ERR_REJECT, ERR_REJECT },
		{ { NULL }, ERR_RETRY, ERR_RETRY },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct address_list list = { .count = 99 };
		struct chain chain;
		size_t count = 0;

		while (count < COUNT(cases[i].texts) && cases[i].texts[count] != NULL)
			count++;
		const struct addrinfo *found = chain_of(&chain, cases[i].texts, count);
		ck_assert_int_eq(address_take(found, true, &list).kind, cases[i].in_test);
		list.count = 99;
		ck_assert_int_eq(address_take(found, false, &list).kind, cases[i].kind);
		ck_assert_uint_eq(list.count, cases[i].kind == ERR_OK ? count : 99);
	}
}
END_TEST

START_TEST(sixteen_are_kept_and_all_are_judged)
{
	const char *texts[CHAIN_MAX];
	struct address_list list;
	struct chain chain;

	for (size_t i = 0; i < CHAIN_MAX; i++)
		texts[i] = i % 2 == 0 ? "1.1.1.1" : "2606:4700::1";
	ck_assert_int_eq(
		address_take(chain_of(&chain, texts, CHAIN_MAX), false, &list).kind, ERR_OK);
	ck_assert_uint_eq(list.count, ADDRESS_LIST_MAX);
	ck_assert_uint_eq(list.items[0].len, 4);
	ck_assert_uint_eq(list.items[15].len, 16);
	texts[CHAIN_MAX - 1] = "10.1.2.3";
	struct err e = address_take(chain_of(&chain, texts, CHAIN_MAX), false, &list);
	ck_assert(e.kind == ERR_REJECT && e.code == ERR_CODE_BAD_PARAMETER);
}
END_TEST

START_TEST(other_families_are_refused)
{
	struct sockaddr_storage other = { .ss_family = AF_UNIX };
	struct addrinfo found = { .ai_addr = (struct sockaddr *)&other };
	struct address_list list;
	struct address address;

	ck_assert(!address_from(found.ai_addr, &address));
	ck_assert_int_eq(address_take(&found, true, &list).kind, ERR_REJECT);
}
END_TEST

START_TEST(resolves_numbers_in_every_spelling)
{
	static const struct {
		const char *host;
		const char *address; /* of the list; NULL: refused */
		enum err_kind in_test;
	} cases[] = {
		{ "8.8.8.8", "8.8.8.8", ERR_OK },
		{ "134744072", "8.8.8.8", ERR_OK },
		{ "2606:4700:0:0::1111", "2606:4700::1111", ERR_OK },
		{ "127.0.0.1", NULL, ERR_OK },
		{ "127.1", NULL, ERR_OK },
		{ "0x7f.1", NULL, ERR_OK },
		{ "0x7f000001", NULL, ERR_OK },
		{ "017700000001", NULL, ERR_OK },
		{ "2130706433", NULL, ERR_OK },
		{ "::1", NULL, ERR_OK },
		{ "::ffff:127.0.0.1", NULL, ERR_REJECT },
		{ "0", NULL, ERR_REJECT },
		{ "0xa9fea9fe", NULL, ERR_REJECT },
		{ "10.1", NULL, ERR_REJECT },
		{ "fe80::1", NULL, ERR_REJECT },
		{ "fe80::1%1", NULL, ERR_REJECT },
		{ "", NULL, ERR_REJECT },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct address_list list;
		char back[ADDRESS_TEXT_BYTES];
		const char *host = cases[i].host;

		ck_assert_msg(
			address_resolve(host, true, &list).kind == cases[i].in_test, "%s", host);
		struct err e = address_resolve(host, false, &list);
		if (cases[i].address == NULL) {
			ck_assert_msg(e.kind == ERR_REJECT && e.code == ERR_CODE_BAD_PARAMETER,
				"%s", host);
			continue;
		}
		ck_assert_msg(e.kind == ERR_OK, "%s", host);
		ck_assert_uint_eq(list.count, 1);
		address_format(&list.items[0], back);
		ck_assert_str_eq(back, cases[i].address);
	}
}
END_TEST

START_TEST(resolves_a_name_of_this_machine)
{
	char longest[ADDRESS_HOST_MAX + 2];
	struct address_list list;
	bool is_loopback = false;

	ck_assert_int_eq(address_resolve("localhost", true, &list).kind, ERR_OK);
	for (size_t i = 0; i < list.count; i++)
		is_loopback |= address_refusal(&list.items[i], false) != NULL;
	ck_assert(is_loopback);
	memset(longest, 'a', sizeof longest);
	longest[sizeof longest - 1] = '\0';
	ck_assert_int_eq(address_resolve(longest, true, &list).kind, ERR_REJECT);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("address");
	TCase *tcase = tcase_create("judge");

	tcase_add_test(tcase, blocks);
	tcase_add_test(tcase, known_targets);
	tcase_add_test(tcase, text);
	tcase_add_test(tcase, one_bad_address_refuses_the_host);
	tcase_add_test(tcase, sixteen_are_kept_and_all_are_judged);
	tcase_add_test(tcase, other_families_are_refused);
	tcase_add_test(tcase, resolves_numbers_in_every_spelling);
	tcase_add_test(tcase, resolves_a_name_of_this_machine);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
