#include "port/web_route.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "port/web.h"

static const struct web_route routes[] = {
	{ .method = "GET", .pattern = "/" },
	{ .method = "GET", .pattern = "/v1/jobs" },
	{ .method = "POST", .pattern = "/v1/jobs" },
	{ .method = "GET", .pattern = "/v1/jobs/special" },
	{ .method = "GET", .pattern = "/v1/jobs/{id}" },
	{ .method = "DELETE", .pattern = "/v1/jobs/{id}" },
	{ .method = "GET", .pattern = "/v1/jobs/{id}/events/{event}" },
	{ NULL },
};

static const struct {
	const char *method;
	const char *path;
	int row;	    /* -1: no such method, -2: no such path */
	const char *values; /* "name=value;" of each parameter, or Allow */
} cases[] = {
	{ "GET", "/", 0, "" },
	{ "GET", "", -2, "" },
	{ "GET", "//", -2, "" },
	{ "GET", "/v1", -2, "" },
	{ "GET", "/v1/", -2, "" },
	{ "GET", "/v1/jobs", 1, "" },
	{ "HEAD", "/v1/jobs", 1, "" },
	{ "POST", "/v1/jobs", 2, "" },
	{ "PUT", "/v1/jobs", -1, "GET, HEAD, POST" },
	{ "OPTIONS", "/", -1, "GET, HEAD" },
	{ "get", "/", -1, "GET, HEAD" },
	{ "GET", "/v1/jobs/", -2, "" },
	{ "GET", "/v1/jobs/special", 3, "" },
	{ "DELETE", "/v1/jobs/special", 5, "id=special;" },
	{ "GET", "/v1/jobs/a b", 4, "id=a b;" },
	{ "DELETE", "/v1/jobs/x", 5, "id=x;" },
	{ "POST", "/v1/jobs/x", -1, "GET, HEAD, DELETE" },
	{ "GET", "/v1/jobs/x/", -2, "" },
	{ "GET", "/v1/jobs/x/events", -2, "" },
	{ "GET", "/v1/jobs/x/events/y", 6, "id=x;event=y;" },
	{ "GET", "/v1/jobs//events/y", -2, "" },
	{ "GET", "/v1/jobs/x/events/y/z", -2, "" },
	{ "GET", "/V1/jobs", -2, "" },
};

START_TEST(finds_route)
{
	struct web_route_match match = { 0 };
	char allow[WEB_ROUTE_ALLOW_BYTES];
	struct buf values = BUF(1000);
	const char *path = cases[_i].path;

	bool known = web_route_find(routes, str_of(cases[_i].method), str_of(path), &match, allow);
	ck_assert_msg(known == (cases[_i].row != -2), "%s", path);
	if (cases[_i].row >= 0) {
		ck_assert_msg(match.route == &routes[cases[_i].row], "%s", path);
		for (size_t i = 0; i < match.param_count; i++) {
			struct web_route_param param = match.params[i];
			buf_addf(&values, "%.*s=%.*s;", (int)param.name.len, param.name.ptr,
				(int)param.value.len, param.value.ptr);
		}
		ck_assert(str_eq(buf_str(&values), str_of(cases[_i].values)));
	} else {
		ck_assert_ptr_null(match.route);
		ck_assert_str_eq(allow, cases[_i].values);
	}
	buf_done(&values);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("web_route");
	TCase *tc = tcase_create("web_route");

	tcase_add_loop_test(tc, finds_route, 0, sizeof cases / sizeof *cases);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(suite());

	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
