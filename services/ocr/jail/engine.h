/*
 * Tesseract with its model loaded once, before the forks. One model, Portuguese: it reads English
 * as well as the English one does (docs/decisions/0007-ocr-zoom.md). Not thread-safe; a recogniser
 * is a process.
 */
#ifndef ESTEIRA_OCR_JAIL_ENGINE_H
#define ESTEIRA_OCR_JAIL_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

struct Pix;
struct engine;

/* What was read. text is the caller's, freed by engine_reading_done; UTF-8, lines end in LF. */
struct engine_reading {
	char *text;
	double confidence; /* mean of the words, 0..100; 0 without text */
};

/* Loads the model and reads a small bitmap, so that whatever is made on first use is there before
 * the fork. NULL: no model (tesseract-ocr-por). */
struct engine *engine_new(void);
void engine_free(struct engine *engine);

/* Reads a gray or black-and-white page of dpi; false when Tesseract fails. */
bool engine_read(
	struct engine *engine, struct Pix *pix, uint32_t dpi, struct engine_reading *ret_reading);
void engine_reading_done(struct engine_reading *reading);

#endif
