/*
 * Headers of gray bitmaps: pdftoppm's, and what a renderer that was taken over might write.
 */
#include "pgm.h"

#include <check.h>
#include <leptonica/allheaders.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
	const char *head;
	enum pgm_status status;
	uint32_t width, height;
	size_t header_bytes;
} heads[] = {
	{ "P5\n1191 1684\n255\n", PGM_OK, 1191, 1684, 17 },
	{ "P5 3 2 255 ", PGM_OK, 3, 2, 11 },
	{ "P5\n\n 3\t2\r\n255\n", PGM_OK, 3, 2, 14 },
	{ "P5\n1000 1000\n255\n", PGM_OK, 1000, 1000, 17 },
	{ "P5\n32767 32767\n255\n", PGM_TOO_LARGE, 0, 0, 0 },
	{ "P5\n32768 1\n255\n", PGM_TOO_LARGE, 0, 0, 0 },
	{ "P5\n1 4294967295\n255\n", PGM_TOO_LARGE, 0, 0, 0 },
	{ "P5\n65536 65536\n255\n", PGM_TOO_LARGE, 0, 0, 0 },
	{ "P5\n9999999999 1\n255\n", PGM_TOO_LARGE, 0, 0, 0 },
	{ "P5\n99999999999 1\n255\n", PGM_BROKEN, 0, 0, 0 },
	{ "P5\n0 2\n255\n", PGM_BROKEN, 0, 0, 0 },
	{ "P5\n3 0\n255\n", PGM_BROKEN, 0, 0, 0 },
	{ "P5\n-3 2\n255\n", PGM_BROKEN, 0, 0, 0 },
	{ "P5\n3 2\n65535\n", PGM_BROKEN, 0, 0, 0 },
	{ "P5\n3 2\n1\n", PGM_BROKEN, 0, 0, 0 },
	{ "P5\n3 2\n255", PGM_BROKEN, 0, 0, 0 },
	{ "P5\n3 2\n", PGM_BROKEN, 0, 0, 0 },
	{ "P5\n# comment\n3 2\n255\n", PGM_BROKEN, 0, 0, 0 },
	{ "P53 2 255 ", PGM_BROKEN, 0, 0, 0 },
	{ "P6\n3 2\n255\n", PGM_BROKEN, 0, 0, 0 },
	{ "P5", PGM_BROKEN, 0, 0, 0 },
	{ "", PGM_BROKEN, 0, 0, 0 },
};

START_TEST(test_head)
{
	struct pgm pgm = { 0, 0, 0 };

	ck_assert_int_eq(pgm_parse(str_of(heads[_i].head), 40000000, &pgm), heads[_i].status);
	ck_assert_uint_eq(pgm.width, heads[_i].width);
	ck_assert_uint_eq(pgm.height, heads[_i].height);
	ck_assert_uint_eq(pgm.header_bytes, heads[_i].header_bytes);
}
END_TEST

START_TEST(test_head_longer_than_its_ceiling)
{
	char head[PGM_HEADER_MAX + 32];
	struct pgm pgm;

	memset(head, ' ', sizeof head);
	memcpy(head, "P5", 2);
	memcpy(head + PGM_HEADER_MAX, "3 2 255 ", 8);
	ck_assert_int_eq(pgm_parse((struct str){ head, sizeof head }, 100, &pgm), PGM_BROKEN);
}
END_TEST

/* A descriptor from which bytes can be read once. */
static int pipe_of(const void *bytes, size_t len)
{
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(write(ends[1], bytes, len), (ssize_t)len);
	close(ends[1]);
	return ends[0];
}

START_TEST(test_pixels)
{
	static const char file[] = "P5\n3 2\n255\n\x01\x02\x03\xfd\xfe\xff";
	struct Pix *pix;
	l_uint32 value;

	for (size_t cut = 1; cut < sizeof file - 1; cut++) {
		int fd = pipe_of(file, sizeof file - 1 - cut);
		ck_assert_int_eq(pgm_read(fd, 100, &pix), PGM_BROKEN);
		close(fd);
	}
	int fd = pipe_of(file, sizeof file - 1);
	ck_assert_int_eq(pgm_read(fd, 100, &pix), PGM_OK);
	close(fd);
	for (int i = 0; i < 6; i++) {
		pixGetPixel(pix, i % 3, i / 3, &value);
		ck_assert_uint_eq(value, (unsigned char)file[11 + i]);
	}
	pixDestroy(&pix);
}
END_TEST

START_TEST(test_more_pixels_than_allowed)
{
	struct Pix *pix;
	int fd = pipe_of("P5\n11 10\n255\n", 13);

	ck_assert_int_eq(pgm_read(fd, 109, &pix), PGM_TOO_LARGE);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ocr/jail/pgm");
	TCase *tcase = tcase_create("pgm");

	tcase_add_loop_test(tcase, test_head, 0, sizeof heads / sizeof *heads);
	tcase_add_test(tcase, test_head_longer_than_its_ceiling);
	tcase_add_test(tcase, test_pixels);
	tcase_add_test(tcase, test_more_pixels_than_allowed);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
