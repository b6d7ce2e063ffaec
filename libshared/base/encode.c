#include "base/encode.h"

#include <stdint.h>

void encode_hex(const void *data, size_t len, char *ret_hex)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *bytes = data;

	for (size_t i = 0; i < len; i++) {
		ret_hex[2 * i] = digits[bytes[i] >> 4];
		ret_hex[2 * i + 1] = digits[bytes[i] & 15];
	}
	ret_hex[2 * len] = '\0';
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool encode_hex_back(struct str hex, void *ret_data, size_t len)
{
	unsigned char *bytes = ret_data;

	if (hex.len != 2 * len)
		return false;
	for (size_t i = 0; i < hex.len; i++)
		if (hex_digit(hex.ptr[i]) < 0)
			return false;
	for (size_t i = 0; i < len; i++)
		bytes[i] = (unsigned char)(hex_digit(hex.ptr[2 * i]) << 4 |
					   hex_digit(hex.ptr[2 * i + 1]));
	return true;
}

void encode_base64url(const void *data, size_t len, char *ret_text)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const unsigned char *bytes = data;
	uint32_t bits = 0;
	unsigned held = 0;

	for (size_t i = 0; i < len; i++) {
		bits = bits << 8 | bytes[i];
		held += 8;
		while (held >= 6) {
			held -= 6;
			*ret_text++ = digits[bits >> held & 63];
		}
	}
	if (held > 0)
		*ret_text++ = digits[bits << (6 - held) & 63];
	*ret_text = '\0';
}

static int base64url_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '-')
		return 62;
	return c == '_' ? 63 : -1;
}

/* The bits of the last character that belong to no byte. */
static int left_over(size_t text_len)
{
	if (text_len % 4 == 2)
		return 15;
	return text_len % 4 == 3 ? 3 : 0;
}

bool encode_base64url_back(struct str text, void *ret_data, size_t max, size_t *ret_len)
{
	unsigned char *bytes = ret_data;
	size_t len = text.len / 4 * 3 + (text.len % 4 == 0 ? 0 : text.len % 4 - 1);
	uint32_t bits = 0;
	unsigned held = 0;
	size_t at = 0;

	if (text.len % 4 == 1 || len > max)
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (base64url_digit(text.ptr[i]) < 0)
			return false;
	/* one text, one value: the bits left over must be zero */
	if (text.len > 0 && (base64url_digit(text.ptr[text.len - 1]) & left_over(text.len)) != 0)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		bits = bits << 6 | (uint32_t)base64url_digit(text.ptr[i]);
		held += 6;
		if (held >= 8) {
			held -= 8;
			bytes[at++] = (unsigned char)(bits >> held);
		}
	}
	*ret_len = len;
	return true;
}
