#include "port/web_client.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "port/address.h"
#include "port/web_request.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define OURS	     "10.0.0.0/8, 192.0.2.7,fd00::/8"

START_TEST(a_list_of_proxies)
{
	static const struct {
		const char *proxies;
		bool good;
	} rows[] = {
		{ NULL, true },
		{ "", true },
		{ OURS, true },
		{ "0.0.0.0/0", true },
		{ "::/0", true },
		{ "192.0.2.1/32", true },
		{ "2001:db8::1/128", true },
		{ "ingress.example", false },
		{ "10.0.0.1/8", false },
		{ "10.0.0.0/33", false },
		{ "10.0.0.0/", false },
		{ "10.0.0.0/-1", false },
		{ "10.0.0/8", false },
		{ "fd00::/129", false },
		{ "10.0.0.0/8,,192.0.2.1", false },
		{ "10.0.0.0/8 192.0.2.1", false },
		{ "*", false },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		ck_assert_msg((web_client_check(rows[i].proxies).kind == ERR_OK) == rows[i].good,
			"%s", rows[i].proxies);
}
END_TEST

START_TEST(who_asked)
{
	static const struct {
		const char *proxies, *peer, *fields, *client;
	} rows[] = {
		{ "", "203.0.113.9", "X-Forwarded-For: 198.51.100.1\r\n", "203.0.113.9" },
		{ OURS, "203.0.113.9", "X-Forwarded-For: 198.51.100.1\r\n", "203.0.113.9" },
		{ OURS, "10.1.2.3", "", "10.1.2.3" },
		{ OURS, "10.1.2.3", "X-Forwarded-For: 198.51.100.1\r\n", "198.51.100.1" },
		{ OURS, "192.0.2.7", "x-forwarded-for:198.51.100.1\r\n", "198.51.100.1" },
		{ OURS, "192.0.2.8", "X-Forwarded-For: 198.51.100.1\r\n", "192.0.2.8" },
		/* what the client began the list with is not believed */
		{ OURS, "10.1.2.3", "X-Forwarded-For: 127.0.0.1, 198.51.100.1\r\n",
			"198.51.100.1" },
		/* a chain of ours, in one field and in several */
		{ OURS, "10.1.2.3", "X-Forwarded-For: 1.1.1.1, 198.51.100.1,10.9.9.9\r\n",
			"198.51.100.1" },
		{ OURS, "10.1.2.3",
			"X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 198.51.100.1\r\n"
			"X-Forwarded-For: 10.9.9.9\r\n",
			"198.51.100.1" },
		{ OURS, "10.1.2.3", "X-Forwarded-For: 10.8.8.8, 10.9.9.9\r\n", "10.8.8.8" },
		/* IPv6, and IPv4 in its clothes */
		{ OURS, "fd00::1", "X-Forwarded-For: 2001:DB8::1\r\n", "2001:db8::1" },
		{ OURS, "::ffff:10.1.2.3", "X-Forwarded-For: ::ffff:198.51.100.1\r\n",
			"198.51.100.1" },
		{ "::/0", "10.1.2.3", "X-Forwarded-For: 198.51.100.1\r\n", "10.1.2.3" },
		{ "0.0.0.0/0", "10.1.2.3", "X-Forwarded-For: 198.51.100.1\r\n", "198.51.100.1" },
		/* what is no address ends the search */
		{ OURS, "10.1.2.3", "X-Forwarded-For: unknown\r\n", "10.1.2.3" },
		{ OURS, "10.1.2.3", "X-Forwarded-For: 198.51.100.1:4711\r\n", "10.1.2.3" },
		{ OURS, "10.1.2.3", "X-Forwarded-For: 198.51.100.1,\r\n", "10.1.2.3" },
		{ OURS, "10.1.2.3", "X-Forwarded-For:\r\n", "10.1.2.3" },
		{ OURS, "10.1.2.3", "X-Forwarded-For: 198.51.100.1, x, 10.9.9.9\r\n", "10.9.9.9" },
		{ OURS, "", "X-Forwarded-For: 198.51.100.1\r\n", "" },
	};
	char head[512], client[ADDRESS_TEXT_BYTES];
	struct web_request *request;

	for (size_t i = 0; i < COUNT(rows); i++) {
		snprintf(head, sizeof head, "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", rows[i].fields);
		ck_assert_int_eq(web_request_new(str_of(head), 16, &request).kind, ERR_OK);
		web_client_find(rows[i].proxies, rows[i].peer, request, client);
		web_request_free(request);
		ck_assert_msg(strcmp(client, rows[i].client) == 0, "row %zu: %s", i, client);
	}
	web_client_find(OURS, "10.1.2.3", NULL, client);
	ck_assert_str_eq(client, "10.1.2.3");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("web_client");
	TCase *tcase = tcase_create("web_client");

	tcase_add_test(tcase, a_list_of_proxies);
	tcase_add_test(tcase, who_asked);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
