#include "engine.h"

#include <leptonica/allheaders.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <tesseract/capi.h>

struct engine {
	TessBaseAPI *apis[JAIL_LANGUAGE_COUNT];
};

static TessBaseAPI *load(const char *language)
{
	TessBaseAPI *api = TessBaseAPICreate();

	if (api == NULL)
		return NULL;
	if (TessBaseAPIInit2(api, NULL, language, OEM_LSTM_ONLY) != 0) {
		TessBaseAPIDelete(api);
		return NULL;
	}
	TessBaseAPISetPageSegMode(api, PSM_AUTO);
	return api;
}

/* A black bar on white: enough to run through all stages. */
static void warm_up(struct engine *engine)
{
	struct Pix *pix = pixCreate(200, 60, 8);

	if (pix == NULL)
		return;
	pixSetAll(pix);
	for (l_int32 x = 20; x < 180; x += 12)
		pixRasterop(pix, x, 20, 4, 20, PIX_CLR, NULL, 0, 0);
	for (int i = 0; i < JAIL_LANGUAGE_COUNT; i++) {
		struct engine_reading reading;
		if (engine_read(engine, (enum jail_language)i, pix, 150, &reading))
			engine_reading_done(&reading);
	}
	pixDestroy(&pix);
	malloc_trim(0);
}

struct engine *engine_new(void)
{
	static const char *const languages[] = { [JAIL_POR] = "por", [JAIL_ENG] = "eng" };
	struct engine *engine = calloc(1, sizeof *engine);

	if (engine == NULL)
		return NULL;
	setMsgSeverity(L_SEVERITY_NONE);
	for (int i = 0; i < JAIL_LANGUAGE_COUNT; i++) {
		engine->apis[i] = load(languages[i]);
		if (engine->apis[i] == NULL) {
			engine_free(engine);
			return NULL;
		}
	}
	warm_up(engine);
	return engine;
}

void engine_free(struct engine *engine)
{
	if (engine == NULL)
		return;
	for (int i = 0; i < JAIL_LANGUAGE_COUNT; i++)
		if (engine->apis[i] != NULL)
			TessBaseAPIDelete(engine->apis[i]);
	free(engine);
}

/* MeanTextConf would round; an empty page has no words. */
static double mean_confidence(TessBaseAPI *api, int *ret_words)
{
	int *confidences = TessBaseAPIAllWordConfidences(api);
	int words = 0;
	double sum = 0;

	for (; confidences != NULL && confidences[words] >= 0; words++)
		sum += confidences[words];
	TessDeleteIntArray(confidences);
	*ret_words = words;
	return words == 0 ? 0 : sum / words;
}

bool engine_read(struct engine *engine, enum jail_language language, struct Pix *pix, uint32_t dpi,
	struct engine_reading *ret_reading)
{
	TessBaseAPI *api = engine->apis[language];

	TessBaseAPISetImage2(api, pix);
	TessBaseAPISetSourceResolution(api, (int)dpi);
	char *text = TessBaseAPIRecognize(api, NULL) == 0 ? TessBaseAPIGetUTF8Text(api) : NULL;
	if (text == NULL) {
		TessBaseAPIClear(api);
		return false;
	}
	struct engine_reading reading = { .text = text };
	reading.confidence = mean_confidence(api, &reading.words);
	TessBaseAPIClear(api);
	*ret_reading = reading;
	return true;
}

void engine_reading_done(struct engine_reading *reading)
{
	TessDeleteText(reading->text);
	reading->text = NULL;
}
