/*
 * What document.c and recogniser.c share; nobody else includes it.
 */
#ifndef ESTEIRA_OCR_DOCUMENT_READER_H
#define ESTEIRA_OCR_DOCUMENT_READER_H

#include <locale.h>

#include "document.h"
#include "jailer.h"

/* All but the jailer is read-only after document_open. */
struct document_reader {
	struct document_conf conf; /* without zeros; jail_path is not kept */
	struct jailer jailer;
	locale_t locale;    /* textlayer_locale() */
	int readers_fd;	    /* permit.h: a document whose text layer is being read */
	int recognisers_fd; /* permit.h: a page under OCR */
};

#endif
