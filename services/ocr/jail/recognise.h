/*
 * The life of a recogniser: a bitmap from standard input, struct jail_answer and the text to
 * standard output. Runs in a fork of the zygote that is already caged.
 */
#ifndef ESTEIRA_OCR_JAIL_RECOGNISE_H
#define ESTEIRA_OCR_JAIL_RECOGNISE_H

struct engine;
struct jail_request;

/* The exit status: 0 when the answer was written. */
int recognise_page(struct engine *engine, const struct jail_request *request);

#endif
