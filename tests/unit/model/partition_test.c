#include "model/partition.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char tenant_text[] = "018f4d3a-7b1c-7000-8000-0123456789ab";

static struct tenant some_tenant(void)
{
	struct tenant tenant;

	ck_assert(id_parse(str_of(tenant_text), &tenant.id));
	return tenant;
}

/* The first six and "lkjh..." stand in the Java client's own UtilsTest; before it masks the sign.
 */
START_TEST(hashes_as_the_java_client_does)
{
	static const struct {
		const char *text;
		int32_t java;
	} rows[] = {
		{ "21", -973932308 },
		{ "foobar", -790332482 },
		{ "a-little-bit-long-string", -985981536 },
		{ "a-little-bit-longer-string", -1486304829 },
		{ "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971 },
		{ "abc", 479470107 },
		{ "", 275646681 },
		{ "a", -1563381124 },
		{ "00000000-0000-0000-0000-00000000000a", -1823719007 },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		ck_assert_uint_eq(partition_murmur2(str_of(rows[i].text)),
			(uint32_t)rows[i].java & 0x7fffffffU);
}
END_TEST

/* Bytes over 0x7f are where a signed char would give another hash. */
START_TEST(hashes_bytes_unsigned)
{
	ck_assert_uint_eq(partition_murmur2(STR("\xff")), 1836015963);
	ck_assert_uint_eq(partition_murmur2(STR("a\xc3\xa7\xc3\xa3o")), 1010978653);
	ck_assert_uint_eq(partition_murmur2(STR("\xff\xfe\xfd\xfc\xfb\xfa\xf9")), 1981247301);
	ck_assert_uint_ne(partition_murmur2(STR("a\0b")), partition_murmur2(STR("a\0c")));
	ck_assert_uint_eq(partition_murmur2((struct str){ NULL, 0 }), partition_murmur2(STR("")));
}
END_TEST

START_TEST(places_a_record)
{
	static const struct {
		uint32_t spread, count;
		const char *key;
		int32_t partition;
	} rows[] = {
		{ 1, 12, "job-1", 2 },
		{ 1, 12, "job-2", 2 },
		{ 1, 12, tenant_text, 2 },
		{ 8, 60, "job-1", 6 },
		{ 8, 60, "job-2", 8 },
		{ 8, 12, "job-1", 6 },
		{ 8, 12, "job-2", 8 },
		{ 60, 60, "job-1", 34 },
		{ 100, 12, "job-1", 10 },
		{ 12, 12, "job-1", 10 },
		{ 1, 1, "job-1", 0 },
		{ 8, 1, "job-1", 0 },
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		ck_assert_int_eq(partition_of(some_tenant(), str_of(rows[i].key), rows[i].spread,
					 rows[i].count),
			rows[i].partition);
}
END_TEST

/* What a tenant without a spread gets is what a foreign producer computes of the key alone. */
START_TEST(without_spread_is_the_default_partitioner)
{
	uint32_t hash = partition_murmur2(str_of(tenant_text));

	for (uint32_t count = 1; count <= 200; count++)
		ck_assert_int_eq(partition_of(some_tenant(), STR("any"), 1, count), hash % count);
}
END_TEST

/* Of many keys: exactly min(k, N) neighbouring partitions, each about equally often. */
START_TEST(spreads_a_tenant_over_k)
{
	static const struct {
		uint32_t spread, count, used;
	} rows[] = { { 1, 60, 1 }, { 8, 60, 8 }, { 8, 12, 8 }, { 60, 60, 60 }, { 99, 12, 12 } };
	enum { KEYS = 6000 };

	for (size_t i = 0; i < COUNT(rows); i++) {
		unsigned hits[60] = { 0 };
		uint32_t used = 0;
		for (int n = 0; n < KEYS; n++) {
			char key[32];
			snprintf(key, sizeof key, "job-%d", n);
			int32_t at = partition_of(
				some_tenant(), str_of(key), rows[i].spread, rows[i].count);
			ck_assert(at >= 0 && (uint32_t)at < rows[i].count);
			hits[at]++;
		}
		for (uint32_t p = 0; p < rows[i].count; p++) {
			used += hits[p] > 0;
			ck_assert_msg(hits[p] == 0 || hits[p] > KEYS / rows[i].used / 2,
				"row %zu partition %u: %u", i, p, hits[p]);
		}
		ck_assert_uint_eq(used, rows[i].used);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("partition");
	TCase *tcase = tcase_create("partition");

	tcase_add_test(tcase, hashes_as_the_java_client_does);
	tcase_add_test(tcase, hashes_bytes_unsigned);
	tcase_add_test(tcase, places_a_record);
	tcase_add_test(tcase, without_spread_is_the_default_partitioner);
	tcase_add_test(tcase, spreads_a_tenant_over_k);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
