/*
 * UUIDs (RFC 9562): version 7 for rows we make; derived ones (version 5) come from port/digest,
 * because they need SHA-1.
 */
#ifndef ESTEIRA_BASE_ID_H
#define ESTEIRA_BASE_ID_H

#include "base/str.h"

struct id {
	uint8_t bytes[16];
};

enum { ID_TEXT_BYTES = 37 };

/* A fresh version 7 UUID: milliseconds of the wall clock, 74 random bits. Aborts if the kernel
 * gives no randomness. Any thread. */
struct id id_v7(void);

/* Lower-case 8-4-4-4-12 text; ret_text takes ID_TEXT_BYTES. */
void id_format(struct id id, char *ret_text);

/* 8-4-4-4-12 of either case; false otherwise. Any version is taken. */
bool id_parse(struct str text, struct id *ret_id);

bool id_eq(struct id a, struct id b);
bool id_is_nil(struct id id);

#endif
