#include "port/http.h"

#include <string.h>

void http_response_done(struct http_response *response)
{
	buf_done(&response->headers);
	buf_done(&response->body);
}

static void done_deferred(void *arg)
{
	http_response_done(arg);
}

bool http_response_defer(struct arena *arena, struct http_response *response)
{
	return arena_defer(arena, done_deferred, response);
}

struct str http_response_header(const struct http_response *response, const char *name)
{
	struct str rest = buf_str(&response->headers);

	while (rest.len > 0) {
		struct str line = str_cut(rest, '\n', &rest);
		struct str value;
		struct str field = str_cut(line, ':', &value);

		if (value.ptr == NULL || !str_ieq(field, str_of(name)))
			continue;
		if (value.len > 0 && value.ptr[value.len - 1] == '\r')
			value.len--;
		return str_trim(value);
	}
	return (struct str){ NULL, 0 };
}
