/*
 * Bytes as text and back: lower-case hex for hashes and ids, base64url for keys and cursors.
 * Decoding is strict, so that one value has one text.
 */
#ifndef ESTEIRA_BASE_ENCODE_H
#define ESTEIRA_BASE_ENCODE_H

#include "base/str.h"

/* Lower-case hex; ret_hex takes 2 * len + 1 bytes. */
void encode_hex(const void *data, size_t len, char *ret_hex);

/* The value of a hex digit of either case, -1 of anything else. */
int encode_hex_digit(char c);

/* Exactly 2 * len hex digits of either case into len bytes; false otherwise. */
bool encode_hex_back(struct str hex, void *ret_data, size_t len);

/* base64url without padding (RFC 4648 section 5); ret_text takes (len * 4 + 2) / 3 + 1 bytes. */
void encode_base64url(const void *data, size_t len, char *ret_text);

/* The reverse; *ret_len is set. False on any foreign character, a wrong length, or no room in max.
 */
bool encode_base64url_back(struct str text, void *ret_data, size_t max, size_t *ret_len);

/* base64 with padding (RFC 4648 section 4); ret_text takes (len + 2) / 3 * 4 + 1 bytes. */
void encode_base64(const void *data, size_t len, char *ret_text);

/* The reverse; *ret_len is set. False on any foreign character, a wrong length or padding, or no
 * room in max. */
bool encode_base64_back(struct str text, void *ret_data, size_t max, size_t *ret_len);

#endif
