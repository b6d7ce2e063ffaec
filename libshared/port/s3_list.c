#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "port/http.h"
#include "port/s3.h"
#include "port/s3_request.h"
#include "port/s3_xml.h"

enum { ANSWER_MAX = 2 * 1024 * 1024, KEYS_MAX = 1000 };

static struct err unreadable(void)
{
	return err_retry(ERR_CODE_STORAGE_AWAY, "the storage's list cannot be read");
}

/* One <Contents>. */
static bool read_object(struct str text, struct arena *arena, struct s3_object *ret_object)
{
	struct str key, size, modified;

	if (!s3_xml_find(text, "Key", &key, NULL) || !s3_xml_find(text, "Size", &size, NULL) ||
		!s3_xml_find(text, "LastModified", &modified, NULL))
		return false;
	if (!str_to_u64(size, &ret_object->size_bytes) ||
		!clock_parse(modified, &ret_object->modified_ms))
		return false;
	ret_object->key = s3_xml_text(key, arena);
	return ret_object->key != NULL;
}

static struct err read_page(
	struct str text, unsigned max, struct arena *arena, struct s3_page *ret_page)
{
	struct s3_page page = { .objects = arena_alloc(arena, max * sizeof *page.objects) };
	struct str inner, result, rest;

	if (page.objects == NULL)
		return arena_overflow();
	if (!s3_xml_find(text, "ListBucketResult", &result, NULL))
		return unreadable();
	rest = result;
	while (s3_xml_find(rest, "Contents", &inner, &rest)) {
		if (page.count == max)
			return unreadable();
		if (!read_object(inner, arena, &page.objects[page.count++]))
			return unreadable();
	}
	if (s3_xml_is(result, "IsTruncated", STR("true"))) {
		if (!s3_xml_find(result, "NextContinuationToken", &inner, NULL))
			return unreadable();
		page.next = s3_xml_text(inner, arena);
		if (page.next == NULL || page.next[0] == '\0')
			return unreadable();
	}
	*ret_page = page;
	return err_ok();
}

struct err s3_list(
	struct s3 *s3, const struct s3_list *what, struct arena *arena, struct s3_page *ret_page)
{
	SCOPED(http_response_done) struct http_response response = { 0 };
	struct s3_sign_pair query[4];
	size_t count = 0;
	char max[12];

	if (what->max < 1 || what->max > KEYS_MAX)
		return err_reject(ERR_CODE_BAD_PARAMETER, "a page has 1 to 1,000 keys");
	snprintf(max, sizeof max, "%u", what->max);
	query[count++] = (struct s3_sign_pair){ STR("list-type"), STR("2") };
	query[count++] = (struct s3_sign_pair){ STR("max-keys"), str_of(max) };
	if (what->prefix != NULL)
		query[count++] = (struct s3_sign_pair){ STR("prefix"), str_of(what->prefix) };
	if (what->token != NULL)
		query[count++] =
			(struct s3_sign_pair){ STR("continuation-token"), str_of(what->token) };
	struct s3_request request = {
		.method = "GET",
		.operation = S3_LIST,
		.query = { query, count },
		.response_max_bytes = ANSWER_MAX,
	};
	TRY(s3_request_call(s3, &request, &response));
	if (response.status == 404)
		return err_retry(ERR_CODE_STORAGE_REFUSED, "the bucket does not exist");
	TRY(s3_status(response.status));
	return read_page(buf_str(&response.body), what->max, arena, ret_page);
}
