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

int encode_hex_digit(char c)
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
		if (encode_hex_digit(hex.ptr[i]) < 0)
			return false;
	for (size_t i = 0; i < len; i++)
		bytes[i] = (unsigned char)(encode_hex_digit(hex.ptr[2 * i]) << 4 |
					   encode_hex_digit(hex.ptr[2 * i + 1]));
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

/* By way of section 5. */
void encode_base64(const void *data, size_t len, char *ret_text)
{
	size_t at = 0;

	encode_base64url(data, len, ret_text);
	for (; ret_text[at] != '\0'; at++) {
		if (ret_text[at] == '-')
			ret_text[at] = '+';
		else if (ret_text[at] == '_')
			ret_text[at] = '/';
	}
	while (at % 4 != 0)
		ret_text[at++] = '=';
	ret_text[at] = '\0';
}

/* The two alphabets differ in their last two digits. */
struct alphabet {
	char digit_62, digit_63;
};

static int base64_digit(char c, const struct alphabet *alphabet)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == alphabet->digit_62)
		return 62;
	return c == alphabet->digit_63 ? 63 : -1;
}

/* The bits of the last character that belong to no byte. */
static int left_over(size_t text_len)
{
	if (text_len % 4 == 2)
		return 15;
	return text_len % 4 == 3 ? 3 : 0;
}

static bool is_valid(struct str text, const struct alphabet *alphabet)
{
	if (text.len % 4 == 1)
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (base64_digit(text.ptr[i], alphabet) < 0)
			return false;
	/* one text, one value: the bits left over must be zero */
	return text.len == 0 ||
	       (base64_digit(text.ptr[text.len - 1], alphabet) & left_over(text.len)) == 0;
}

static bool decode(struct str text, const struct alphabet *alphabet, void *ret_data, size_t max,
	size_t *ret_len)
{
	unsigned char *bytes = ret_data;
	size_t len = text.len / 4 * 3 + (text.len % 4 == 0 ? 0 : text.len % 4 - 1);
	uint32_t bits = 0;
	unsigned held = 0;
	size_t at = 0;

	if (len > max || !is_valid(text, alphabet))
		return false;
	for (size_t i = 0; i < text.len; i++) {
		bits = bits << 6 | (uint32_t)base64_digit(text.ptr[i], alphabet);
		held += 6;
		if (held >= 8) {
			held -= 8;
			bytes[at++] = (unsigned char)(bits >> held);
		}
	}
	*ret_len = len;
	return true;
}

bool encode_base64url_back(struct str text, void *ret_data, size_t max, size_t *ret_len)
{
	return decode(text, &(struct alphabet){ '-', '_' }, ret_data, max, ret_len);
}

bool encode_base64_back(struct str text, void *ret_data, size_t max, size_t *ret_len)
{
	if (text.len % 4 != 0)
		return false;
	for (int i = 0; i < 2 && text.len > 0 && text.ptr[text.len - 1] == '='; i++)
		text.len--;
	return decode(text, &(struct alphabet){ '+', '/' }, ret_data, max, ret_len);
}
