/*
 * The life of a reader: the fork becomes one of poppler's programs, which sees the PDF as standard
 * input and a pipe as standard output. poppler is GPL: it is run, never linked.
 */
#ifndef ESTEIRA_OCR_JAIL_READER_H
#define ESTEIRA_OCR_JAIL_READER_H

#include <stdbool.h>

#include "request.h"

/* The program of a task; NULL for JAIL_RECOGNISE. */
const char *reader_program(enum jail_task task);

/* True when every program is there and may be run. */
bool reader_check(void);

/* Becomes the program; returns only when that fails. request is one that the zygote accepted. */
void reader_become(const struct jail_request *request);

#endif
