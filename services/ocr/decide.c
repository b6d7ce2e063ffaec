#include "decide.h"

#include <stddef.h>

enum { LETTERS_LEAST = 16 };

static const double sound_least = 0.95;	  /* of the code points */
static const double picture_most = 0.5;	  /* of the page, pictures without text on them */
static const double confidence_good = 85; /* the customer's */
static const double points_per_inch = 72;

/* The customer's adaptive zoom: 2x first; what goes badly there is mostly noise or blur, which a
 * mean takes away; then small print. */
static const struct decide_try ladder[] = {
	{ 144, 0, false },
	{ 216, 2, true },
	{ 300, 0, false },
};

enum { STEPS = sizeof ladder / sizeof *ladder };

bool decide_uses_text(const struct decide_page *page)
{
	double area_in2 = page->width_pt / points_per_inch * (page->height_pt / points_per_inch);

	if (page->letters < LETTERS_LEAST || page->sound < sound_least * page->points)
		return false;
	double pictures = page->picture_in2 > area_in2 ? area_in2 : page->picture_in2;
	return pictures - page->text_share * area_in2 <= picture_most * area_in2;
}

double decide_pixels(const struct decide_page *page, unsigned dpi)
{
	double scale = dpi / points_per_inch;

	return page->width_pt * scale * (page->height_pt * scale);
}

bool decide_too_large(const struct decide_page *page, uint32_t pixels_max)
{
	return decide_pixels(page, ladder[0].dpi) > pixels_max;
}

struct decide_try decide_first(void)
{
	return ladder[0];
}

bool decide_again(const struct decide_page *page, uint32_t pixels_max, struct decide_try last,
	double best, struct decide_try *ret_try)
{
	size_t step = 0;

	if (best >= confidence_good)
		return false;
	while (step < STEPS && ladder[step].dpi != last.dpi)
		step++;
	for (step++; step < STEPS; step++) {
		if (decide_pixels(page, ladder[step].dpi) > pixels_max)
			continue;
		*ret_try = ladder[step];
		return true;
	}
	return false;
}
