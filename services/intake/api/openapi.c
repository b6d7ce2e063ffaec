#include "api/openapi.h"

#include "api/openapi_data.h"
#include "port/web_reply.h"

void openapi_get(struct web_exchange *exchange, void *arg)
{
	static const struct web_field headers[] = {
		{ "Content-Type", { "application/json", 16 } },
		{ NULL, { NULL, 0 } },
	};

	(void)arg;
	web_reply_send(
		exchange, 200, headers, (struct str){ openapi_data_json, openapi_data_json_len });
}

void openapi_docs(struct web_exchange *exchange, void *arg)
{
	static const struct web_field headers[] = {
		{ "Content-Type", { "text/html; charset=utf-8", 24 } },
		{ "Content-Security-Policy",
			{ "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
			  "frame-ancestors 'none'",
				86 } },
		{ NULL, { NULL, 0 } },
	};

	(void)arg;
	web_reply_send(
		exchange, 200, headers, (struct str){ openapi_data_page, openapi_data_page_len });
}
