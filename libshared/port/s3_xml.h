/*
 * The little XML that S3 answers: elements whose text is wanted, found by name. No attributes, no
 * nesting of an element in itself, no entities but the five of XML and characters by number; what
 * is anything else is "not found", never an error that stops a purge.
 */
#ifndef ESTEIRA_PORT_S3_XML_H
#define ESTEIRA_PORT_S3_XML_H

#include "base/arena.h"
#include "base/str.h"

/* What is between the first <name ...> and the next </name>, raw; *rest is what follows. False, and
 * nothing set, when there is none. rest may be NULL. */
bool s3_xml_find(struct str text, const char *name, struct str *ret_inner, struct str *rest);

/* Whether the first element of that name holds exactly this text. */
bool s3_xml_is(struct str text, const char *name, struct str expected);

/* The text with entities resolved, in the arena; NULL without room or for an entity we do not know.
 */
const char *s3_xml_text(struct str raw, struct arena *arena);

#endif
