#include "api/query.h"

#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "api/cursor.h"
#include "port/web.h"
#include "port/web_reply.h"

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

static struct err read_limit(struct web_exchange *exchange, uint64_t *ret_limit)
{
	struct str text = web_query(exchange, "limit");
	uint64_t limit = QUERY_LIMIT;

	if (text.ptr != NULL && (!str_to_u64(text, &limit) || limit < 1 || limit > QUERY_LIMIT_MAX))
		return err_reject(ERR_CODE_BAD_PARAMETER, "limit is not between 1 and 200");
	*ret_limit = limit;
	return err_ok();
}

struct err query_page_begin(struct query_page *page, const char *path, size_t body_max_bytes)
{
	page->body = BUF(body_max_bytes);
	page->link = BUF(QUERY_LINK_MAX_BYTES);
	snprintf(page->path, sizeof page->path, "%s", path);
	snprintf(page->list, sizeof page->list, "%s", path);
	return read_limit(page->call.exchange, &page->limit);
}

void query_page_filter(struct query_page *page, const char *name, const char *value)
{
	size_t len = strlen(page->list);

	if (value[0] != '\0')
		snprintf(page->list + len, sizeof page->list - len, "&%s=%s", name, value);
}

static struct cursor_scope scope_of(const struct query_page *page)
{
	return (struct cursor_scope){ page->call.from.who.tenant, page->list };
}

struct err query_page_cursor(struct query_page *page)
{
	if (!query_text(page->call.exchange, "cursor", page->cursor, sizeof page->cursor))
		return err_reject(ERR_CODE_BAD_PARAMETER, "cursor is not valid here");
	return err_ok();
}

struct err query_page_after(const struct query_page *page, struct cursor *ret_after)
{
	const struct cursor_scope scope = scope_of(page);

	*ret_after = cursor_start();
	if (page->cursor[0] == '\0')
		return err_ok();
	return cursor_parse(page->call.api->cursor_key, &scope, str_of(page->cursor), ret_after);
}

void query_page_next(struct query_page *page, const struct cursor *last)
{
	const struct cursor_scope scope = scope_of(page);
	char cursor[CURSOR_TEXT_BYTES];

	cursor_format(page->call.api->cursor_key, &scope, last, cursor);
	buf_addf(&page->body, ",\"next_cursor\":\"%s\"", cursor);
	buf_addf(&page->link, "<%s?limit=%d&cursor=%s%s>; rel=\"next\"", page->path,
		(int)page->limit, cursor, page->list + strlen(page->path));
}

void query_page_reply(struct call *call)
{
	struct query_page *page = (struct query_page *)call;
	const struct web_field headers[] = {
		{ page->link.len > 0 ? "Link" : NULL, buf_str(&page->link) },
		{ NULL, { NULL, 0 } },
	};

	call_reply_json(call->exchange, 200, headers, &page->body);
}

void query_page_free(struct call *call)
{
	struct query_page *page = (struct query_page *)call;

	buf_done(&page->body);
	buf_done(&page->link);
}
