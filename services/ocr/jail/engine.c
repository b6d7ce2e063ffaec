#include "engine.h"

#include <leptonica/allheaders.h>
#include <malloc.h>
#include <stdlib.h>
#include <tesseract/capi.h>

#include "shortcut.h"

struct engine {
	TessBaseAPI *api;
};

/* Black bars on white: enough to run through all stages. */
static void warm_up(struct engine *engine)
{
	struct engine_reading reading;
	struct Pix *pix = pixCreate(200, 60, 8);

	if (pix == NULL)
		return;
	pixSetAll(pix);
	for (l_int32 x = 20; x < 180; x += 12)
		pixRasterop(pix, x, 20, 4, 20, PIX_CLR, NULL, 0, 0);
	if (engine_read(engine, pix, 150, &reading))
		engine_reading_done(&reading);
	pixDestroy(&pix);
	malloc_trim(0);
}

struct engine *engine_new(void)
{
	struct engine *engine = calloc(1, sizeof *engine);

	if (engine == NULL)
		return NULL;
	shortcut_use();
	setMsgSeverity(L_SEVERITY_NONE);
	engine->api = TessBaseAPICreate();
	if (engine->api == NULL || TessBaseAPIInit2(engine->api, NULL, "por", OEM_LSTM_ONLY) != 0) {
		engine_free(engine);
		return NULL;
	}
	TessBaseAPISetPageSegMode(engine->api, PSM_AUTO);
	warm_up(engine);
	return engine;
}

void engine_free(struct engine *engine)
{
	if (engine == NULL)
		return;
	if (engine->api != NULL)
		TessBaseAPIDelete(engine->api);
	free(engine);
}

/* MeanTextConf would round. */
static double mean_confidence(TessBaseAPI *api)
{
	int *confidences = TessBaseAPIAllWordConfidences(api);
	int words = 0;
	double sum = 0;

	for (; confidences != NULL && confidences[words] >= 0; words++)
		sum += confidences[words];
	TessDeleteIntArray(confidences);
	return words == 0 ? 0 : sum / words;
}

/* A page of noise is read as one word of a blank, with great confidence. */
static bool is_blank(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text > ' ')
			return false;
	return true;
}

bool engine_read(
	struct engine *engine, struct Pix *pix, uint32_t dpi, struct engine_reading *ret_reading)
{
	TessBaseAPI *api = engine->api;

	TessBaseAPISetImage2(api, pix);
	TessBaseAPISetSourceResolution(api, (int)dpi);
	char *text = TessBaseAPIRecognize(api, NULL) == 0 ? TessBaseAPIGetUTF8Text(api) : NULL;
	if (text != NULL)
		*ret_reading =
			(struct engine_reading){ text, is_blank(text) ? 0 : mean_confidence(api) };
	TessBaseAPIClear(api);
	return text != NULL;
}

void engine_reading_done(struct engine_reading *reading)
{
	TessDeleteText(reading->text);
	reading->text = NULL;
}
