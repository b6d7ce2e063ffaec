#include "upright.h"

#include <leptonica/allheaders.h>
#include <math.h>
#include <stdlib.h>

enum {
	INK_LEVELS = 48,     /* gray levels off the paper that are ink and not noise */
	INK_PIXELS = 24,     /* fewer are a speck: a full stop at 144 dpi has 9 */
	LEVEL_REDUCTION = 4, /* skew is found on a quarter-size bitmap */
};

static const double skew_least_degrees = 0.15; /* Tesseract does not mind less */
static const float skew_least_trust = 2.5F;

static int paper_level(const float *counts, double pixels)
{
	double sum = 0;

	for (int level = 0; level < 256; level++) {
		sum += counts[level];
		if (sum * 2 >= pixels)
			return level;
	}
	return 255;
}

bool upright_blank(struct Pix *gray)
{
	struct Numa *histogram = pixGetGrayHistogram(gray, 1);
	double pixels = (double)pixGetWidth(gray) * pixGetHeight(gray), ink = 0;

	if (histogram == NULL)
		return false;
	const float *counts = numaGetFArray(histogram, L_NOCOPY);
	int paper = paper_level(counts, pixels);
	for (int level = 0; level < 256; level++)
		if (abs(level - paper) > INK_LEVELS)
			ink += counts[level];
	numaDestroy(&histogram);
	return ink < (double)INK_PIXELS;
}

void upright_smooth(struct Pix **gray, int radius)
{
	struct Pix *smooth = radius <= 0 ? NULL : pixBlockconv(*gray, radius, radius);

	if (smooth == NULL)
		return;
	pixDestroy(gray);
	*gray = smooth;
}

/* Black text on white, whatever the paper's gray. */
static struct Pix *binarise(struct Pix *gray)
{
	struct Pix *bits = NULL;
	l_int32 width = pixGetWidth(gray), height = pixGetHeight(gray);

	if (pixOtsuAdaptiveThreshold(gray, width, height, 0, 0, 0.1F, NULL, &bits) != 0)
		return NULL;
	return bits;
}

double upright_level(struct Pix **gray)
{
	struct Pix *bits = binarise(*gray);
	l_float32 degrees = 0, trust = 0;

	if (bits == NULL)
		return 0;
	l_int32 rc = pixFindSkewSweepAndSearch(
		bits, &degrees, &trust, LEVEL_REDUCTION, 2, 7.0F, 1.0F, 0.02F);
	pixDestroy(&bits);
	if (rc != 0 || trust < skew_least_trust || fabs(degrees) < skew_least_degrees)
		return 0;
	struct Pix *level = pixRotate(*gray, (l_float32)(degrees * M_PI / 180), L_ROTATE_AREA_MAP,
		L_BRING_IN_WHITE, 0, 0);
	if (level == NULL)
		return 0;
	pixDestroy(gray);
	*gray = level;
	return degrees;
}

int upright_turns(struct Pix *gray)
{
	struct Pix *bits = binarise(gray);
	l_float32 up = 0, left = 0;
	l_int32 orientation = L_TEXT_ORIENT_UNKNOWN;

	if (bits == NULL)
		return -1;
	if (pixOrientDetect(bits, &up, &left, 0, 0) == 0)
		makeOrientDecision(up, left, 0, 0, &orientation, 0);
	pixDestroy(&bits);
	switch (orientation) {
	case L_TEXT_ORIENT_UP:
		return 0;
	case L_TEXT_ORIENT_LEFT:
		return 1;
	case L_TEXT_ORIENT_DOWN:
		return 2;
	case L_TEXT_ORIENT_RIGHT:
		return 3;
	default:
		return -1;
	}
}

void upright_turn(struct Pix **gray, int turns)
{
	if (turns % 4 == 0)
		return;
	struct Pix *turned = pixRotateOrth(*gray, turns % 4);
	if (turned == NULL)
		return;
	pixDestroy(gray);
	*gray = turned;
}
