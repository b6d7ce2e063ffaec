/*
 * The table of pdfimages -list, from poppler 22.12, and rows it would never print.
 */
#include "pictures.h"

#include <check.h>
#include <stdlib.h>

static const char head[] =
	"page   num  type   width height color comp bpc  enc interp  object ID x-ppi y-ppi size "
	"ratio\n"
	"-----------------------------------------------------------------------------------\n";

static const struct {
	const char *row;
	double area_in2; /* on page 2 */
} rows[] = {
	{ "   2     0 image    1654  2339  gray    1   8  jpeg   no         3  0   200   200  595K "
	  " 16%\n",
		8.27 * 11.695 },
	{ "   2     0 image       8     8  gray    1   1  image  no         5  0 0.003 0.003    8B "
	  "100%\n",
		8 / 0.003 * (8 / 0.003) },
	{ "   2     0 image     100   100  gray    1   1  image  no   [inline]     100   100    8B "
	  "100%\n",
		1 },
	{ "   2     0 stencil   100   100  -       1   1  ccitt  no         5  0   100   100    8B "
	  "100%\n",
		1 },
	{ "   2     0 smask     100   100  gray    1   1  image  no         5  0   100   100    8B "
	  "100%\n",
		0 },
	{ "   2     0 image     100   100  gray    1   1  image  no         5  0     0   100    8B "
	  "100%\n",
		0 },
	{ "   2     0 image     100   100  gray    1   1  image  no         5  0   inf   nan    8B "
	  "100%\n",
		0 },
	{ "   3     0 image     100   100  gray    1   1  image  no         5  0   100   100    8B "
	  "100%\n",
		0 },
	{ "   0     0 image     100   100  gray    1   1  image  no         5  0   100   100    8B "
	  "100%\n",
		0 },
	{ "   2     0 image     -10   100  gray    1   1  image  no         5  0   100   100    8B "
	  "100%\n",
		0 },
	{ "2 0 image 1 1\n", 0 },
	{ "9 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24\n", 0 },
	{ "\n", 0 },
};

START_TEST(test_row)
{
	struct pictures pictures;

	ck_assert(pictures_open(&pictures, 2));
	pictures_feed(&pictures, str_of(head));
	pictures_feed(&pictures, str_of(rows[_i].row));
	pictures_feed(&pictures, str_of(rows[_i].row));
	lines_end(&pictures.lines);
	ck_assert_double_eq(pictures.areas_in2[0], 0);
	ck_assert_double_eq_tol(pictures.areas_in2[1], 2 * rows[_i].area_in2, 1e-3);
	pictures_close(&pictures);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ocr/pictures");
	TCase *tcase = tcase_create("pictures");

	tcase_add_loop_test(tcase, test_row, 0, sizeof rows / sizeof *rows);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
