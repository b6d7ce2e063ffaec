/*
 * A page as Tesseract wants it: level, right way up, and worth looking at. All of it works on a
 * gray bitmap of the whole page and costs a few percent of its recognition.
 */
#ifndef ESTEIRA_OCR_JAIL_UPRIGHT_H
#define ESTEIRA_OCR_JAIL_UPRIGHT_H

#include <stdbool.h>

struct Pix;

/* Nothing is drawn on it: no more pixels than a speck differ from the paper. */
bool upright_blank(struct Pix *gray);

/* Takes noise away by the mean of the pixels within radius (0: leaves it). */
void upright_smooth(struct Pix **gray, int radius);

/* Turns back a skew of up to 7 degrees. Replaces *gray when it does; the degrees it turned by. */
double upright_level(struct Pix **gray);

/* Quarter turns clockwise (0..3) that make the text upright by its ascenders and descenders; -1
 * when they do not tell. */
int upright_turns(struct Pix *gray);

/* Turns *gray by quarter turns clockwise; unchanged when memory is out. */
void upright_turn(struct Pix **gray, int turns);

#endif
