#include "api/query.h"

#include <string.h>

#include "base/str.h"
#include "port/web.h"

bool query_text(struct web_exchange *exchange, const char *name, char *ret_text, size_t size)
{
	struct str value = web_query(exchange, name);

	if (value.len >= size)
		return false;
	if (value.len > 0)
		memcpy(ret_text, value.ptr, value.len);
	ret_text[value.len] = '\0';
	return value.ptr == NULL || value.len > 0;
}

bool query_word(struct web_exchange *exchange, const char *name, const char *const *words,
	char *ret_text, size_t size)
{
	if (!query_text(exchange, name, ret_text, size))
		return false;
	if (ret_text[0] == '\0')
		return true;
	for (; *words != NULL; words++)
		if (strcmp(ret_text, *words) == 0)
			return true;
	return false;
}

struct err query_limit(struct web_exchange *exchange, uint64_t *ret_limit)
{
	struct str text = web_query(exchange, "limit");
	uint64_t limit = QUERY_LIMIT;

	if (text.ptr != NULL && (!str_to_u64(text, &limit) || limit < 1 || limit > QUERY_LIMIT_MAX))
		return err_reject(ERR_CODE_BAD_PARAMETER, "limit is not between 1 and 200");
	*ret_limit = limit;
	return err_ok();
}
