#include "api/idempotency.h"

#include <string.h>

static struct err refused(void)
{
	return err_reject(ERR_CODE_BAD_PARAMETER,
		"Idempotency-Key is not 1 to 255 printable ASCII characters");
}

/* The character at *at of the inside of the quotes, which ends at last; \0: malformed. */
static char unescape(struct str header, size_t last, size_t *at)
{
	char c = header.ptr[(*at)++];

	if (c == '"')
		return '\0';
	if (c != '\\')
		return c;
	c = *at < last ? header.ptr[(*at)++] : '\0';
	return c == '"' || c == '\\' ? c : '\0';
}

/* The inside of the quotes without its backslashes; false unless well-formed and short enough. */
static bool unquote(struct str header, char *key, size_t *ret_len)
{
	size_t len = 0, last = header.len - 1;

	if (header.len < 2 || header.ptr[last] != '"')
		return false;
	for (size_t at = 1; at < last;) {
		char c = unescape(header, last, &at);
		if (c == '\0' || len == IDEMPOTENCY_KEY_BYTES - 1)
			return false;
		key[len++] = c;
	}
	*ret_len = len;
	return true;
}

struct err idempotency_read(struct str header, char *ret_key)
{
	char key[IDEMPOTENCY_KEY_BYTES];
	size_t len = header.len;

	if (len > 0 && header.ptr[0] == '"') {
		if (!unquote(header, key, &len))
			return refused();
	} else if (len < sizeof key && len > 0) {
		memcpy(key, header.ptr, len);
	}
	if (len == 0 || len >= sizeof key)
		return refused();
	for (size_t i = 0; i < len; i++)
		if (key[i] < 0x20 || key[i] > 0x7e)
			return refused();
	key[len] = '\0';
	memcpy(ret_key, key, len + 1);
	return err_ok();
}
