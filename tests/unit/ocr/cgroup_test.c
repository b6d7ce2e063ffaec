/*
 * Limits of both versions of cgroups, in a tree made for the test.
 */
#include "cgroup.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char mount[] = "/tmp/cgroup-test-XXXXXX";

static void put(const char *folder, const char *file, const char *text)
{
	char path[512];

	snprintf(path, sizeof path, "%s%s", mount, folder);
	mkdir(path, 0700);
	snprintf(path, sizeof path, "%s%s/%s", mount, folder, file);
	FILE *out = fopen(path, "w");
	if (out == NULL)
		abort();
	fputs(text, out);
	fclose(out);
}

static void clear(void)
{
	static const char *const paths[] = { "/outer/inner/memory.max", "/outer/inner",
		"/outer/memory.max", "/outer", "/free/memory.max", "/free",
		"/memory/box/memory.limit_in_bytes", "/memory/box", "/memory/memory.limit_in_bytes",
		"/memory", "" };
	char path[512];

	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		snprintf(path, sizeof path, "%s%s", mount, paths[i]);
		remove(path);
	}
}

static const struct {
	const char *text;
	uint64_t limit;
} cases[] = {
	{ "", UINT64_MAX },
	{ "nonsense\n:\n::\n0\n", UINT64_MAX },
	{ "0::/\n", UINT64_MAX },
	{ "0::/outer\n", 3000 },
	{ "0::/outer/inner\n", 3000 },
	{ "0::/outer/inner/absent\n", 3000 },
	{ "0::/free\n", UINT64_MAX },
	{ "9:name=systemd:/outer\n4:memory:/box\n0::/\n", 2000 },
	{ "4:memory:/box/absent/deeper\n0::/outer\n", 2000 },
	{ "3:cpuset:/outer\n", UINT64_MAX },
};

START_TEST(test_limit)
{
	ck_assert_uint_eq(cgroup_memory_max_at(str_of(cases[_i].text), mount), cases[_i].limit);
}
END_TEST

int main(void)
{
	if (mkdtemp(mount) == NULL)
		return 1;
	put("/outer", "memory.max", "3000\n");
	put("/outer/inner", "memory.max", "max\n");
	put("/free", "memory.max", "max\n");
	put("/memory", "memory.limit_in_bytes", "9223372036854771712\n");
	put("/memory/box", "memory.limit_in_bytes", "2000\n");
	Suite *suite = suite_create("ocr/cgroup");
	TCase *tcase = tcase_create("cgroup");
	tcase_add_loop_test(tcase, test_limit, 0, sizeof cases / sizeof *cases);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	clear();
	return failed == 0 ? 0 : 1;
}
