/*
 * A list of structs for people (aligned columns) or for programs (a JSON array, one object a line),
 * both from the structs' codec table, so that they cannot differ.
 */
#ifndef ESTEIRA_CTL_LIST_H
#define ESTEIRA_CTL_LIST_H

#include <stdio.h>

#include "model/codec.h"

/* Prints rows, structs of type without lists and objects inside. Absent fields are "-", in JSON
 * left out. Failures: codec_write; ERR_REJECT record-too-large. */
struct err list_print(const struct codec_type *type, const struct codec_list *rows, bool json,
	FILE *out) ERR_MUST_USE;

/* Prints one struct: a line a field (lists and objects inside left out), or a JSON object. Failures
 * as above. */
struct err list_print_one(const struct codec_type *type, const void *row, bool json, FILE *out)
	ERR_MUST_USE;

#endif
