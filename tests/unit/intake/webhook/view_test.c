#include "webhook/view.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "../api_suite.h"

#define ID    "019a0000-0000-0000-0000-000000000000"
#define EPOCH "\"1970-01-01T00:00:00.000Z\""

static const struct webhook_endpoint bare = {
	.id = { { 1, 0x9a } },
	.url = "https://a.example/",
	.filters = "[]",
	.state = "active",
	.old_secret_until = CODEC_NO_INT,
};

START_TEST(an_endpoint_without_extras)
{
	struct buf json SCOPED(buf_done) = BUF(VIEW_ENDPOINT_MAX_BYTES);

	ck_assert_int_eq(view_endpoint(&bare, NULL, &json).kind, ERR_OK);
	ck_assert_str_eq(json.ptr,
		"{\"id\":\"" ID "\",\"url\":\"https://a.example/\",\"filters\":[],"
		"\"ordered\":false,\"state\":\"active\",\"created_at\":" EPOCH
		",\"updated_at\":" EPOCH "}");
}
END_TEST

START_TEST(an_endpoint_with_everything)
{
	struct buf json SCOPED(buf_done) = BUF(VIEW_ENDPOINT_MAX_BYTES);
	struct webhook_endpoint endpoint = bare;

	endpoint.description = "a \"name\"";
	endpoint.filters = "[\"document.failed\"]";
	endpoint.ordered = true;
	endpoint.state = "disabled";
	endpoint.disabled_reason = "gone";
	endpoint.old_secret_until = 1;
	ck_assert_int_eq(view_endpoint(&endpoint, "whsec_x", &json).kind, ERR_OK);
	ck_assert_str_eq(json.ptr,
		"{\"id\":\"" ID
		"\",\"url\":\"https://a.example/\",\"filters\":[\"document.failed\"],"
		"\"ordered\":true,\"description\":\"a \\\"name\\\"\",\"state\":\"disabled\","
		"\"disabled_reason\":\"gone\",\"secret\":\"whsec_x\","
		"\"old_secret_until\":\"1970-01-01T00:00:00.001Z\",\"created_at\":" EPOCH
		",\"updated_at\":" EPOCH "}");
}
END_TEST

START_TEST(the_largest_endpoint_fits)
{
	struct buf json SCOPED(buf_done) = BUF(VIEW_ENDPOINT_MAX_BYTES);
	struct webhook_endpoint endpoint = bare;
	char url[WISH_URL_BYTES] = "", description[WISH_DESCRIPTION_BYTES] = "";

	for (size_t i = 0; i + 1 < sizeof url; i++)
		url[i] = 'a';
	for (size_t i = 0; i + 1 < sizeof description; i++)
		description[i] = '\x01'; /* six bytes of JSON */
	endpoint.url = url;
	endpoint.description = description;
	endpoint.filters = "[\"document.completed\",\"document.failed\",\"document.expired\","
			   "\"document.cancelled\",\"document.purged\",\"deadletter.created\"]";
	ck_assert_int_eq(view_endpoint(&endpoint, "whsec_x", &json).kind, ERR_OK);
}
END_TEST

START_TEST(endpoints)
{
	struct buf json SCOPED(buf_done) = BUF(VIEW_ENDPOINT_MAX_BYTES);
	struct webhook_endpoint items[] = { bare, bare };
	const struct webhook_endpoints none = { NULL, 0 }, two = { items, 2 };

	ck_assert_int_eq(view_endpoints(&none, &json).kind, ERR_OK);
	ck_assert_str_eq(json.ptr, "{\"items\":[]}");
	buf_clear(&json);
	ck_assert_int_eq(view_endpoints(&two, &json).kind, ERR_OK);
	ck_assert_ptr_nonnull(strstr(json.ptr, "},{"));
}
END_TEST

START_TEST(a_delivery)
{
	struct buf json SCOPED(buf_done) = BUF(VIEW_DELIVERY_MAX_BYTES);
	struct webhook_attempt attempts[] = { { 2, 1, CODEC_NO_INT, "timeout", 30000 },
		{ 1, 0, 500, NULL, 3 } };
	const struct webhook_delivery delivery = { .delivery_id = { { 1, 0x9a } },
		.event_id = { { 1, 0x9a } },
		.event_type = "document.failed",
		.state = "pending",
		.attempts = 2,
		.last_status = CODEC_NO_INT,
		.last_error = "timeout",
		.delivered_at = CODEC_NO_INT,
		.attempt_list = { attempts, 2 } };

#define PART                                                                                       \
	"{\"delivery_id\":\"" ID "\",\"event_type\":\"document.failed\",\"event_id\":\"" ID        \
	"\",\"state\":\"pending\",\"attempts\":2,\"last_error\":\"timeout\",\"created_at\":" EPOCH \
	",\"updated_at\":" EPOCH
	ck_assert_int_eq(view_delivery(&delivery, &json).kind, ERR_OK);
	ck_assert_str_eq(json.ptr, PART "}");
	buf_clear(&json);
	ck_assert_int_eq(view_delivery_full(&delivery, &json).kind, ERR_OK);
	ck_assert_str_eq(json.ptr,
		PART ",\"attempt_list\":[{\"number\":2,\"at\":\"1970-01-01T00:00:00.001Z\","
		     "\"error_code\":\"timeout\",\"took_ms\":30000},{\"number\":1,\"at\":" EPOCH
		     ",\"status\":500,\"took_ms\":3}]}");
}
END_TEST

START_TEST(health_of_none)
{
	struct buf json SCOPED(buf_done) = BUF(VIEW_HEALTH_MAX_BYTES);
	const struct webhook_healths healths = { NULL, 0 };

	ck_assert_int_eq(view_health(&healths, &json).kind, ERR_OK);
	ck_assert_str_eq(json.ptr, "{\"overall\":\"ok\",\"webhooks\":[]}");
}
END_TEST

START_TEST(health_of_one)
{
	static const struct {
		const char *state, *reason;
		int64_t pending, oldest_s;
		const char *overall;
	} rows[] = {
		{ "active", NULL, 0, CODEC_NO_INT, "ok" },
		{ "active", NULL, 5, VIEW_LATE_S, "ok" },
		{ "active", NULL, 1, VIEW_LATE_S + 1, "degraded" },
		{ "disabled", "by-hand", 1, VIEW_LATE_S + 1, "ok" },
		{ "disabled", "gone", 0, CODEC_NO_INT, "degraded" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf json SCOPED(buf_done) = BUF(2 * VIEW_HEALTH_MAX_BYTES);
		struct webhook_health one = { .id = { { 1, 0x9a } },
			.url = "https://Hooks.Example.com:8443/secret?path",
			.state = rows[i].state,
			.disabled_reason = rows[i].reason,
			.pending = rows[i].pending,
			.oldest_pending_s = rows[i].oldest_s,
			.last_delivered_at = 0,
			.last_failed_at = CODEC_NO_INT };
		const struct webhook_healths healths = { &one, 1 };
		char start[64];
		snprintf(start, sizeof start, "{\"overall\":\"%s\",", rows[i].overall);
		ck_assert_int_eq(view_health(&healths, &json).kind, ERR_OK);
		ck_assert_msg(str_starts(buf_str(&json), str_of(start)), "%s", json.ptr);
		ck_assert_ptr_nonnull(strstr(json.ptr, "\"url_host\":\"hooks.example.com\""));
		ck_assert_ptr_null(strstr(json.ptr, "secret"));
		ck_assert_ptr_nonnull(strstr(json.ptr, "\"last_delivered_at\":" EPOCH "}"));
	}
}
END_TEST

int main(void)
{
	const struct api_case cases[] = { { an_endpoint_without_extras, 0 },
		{ an_endpoint_with_everything, 0 }, { the_largest_endpoint_fits, 0 },
		{ endpoints, 0 }, { a_delivery, 0 }, { health_of_none, 0 }, { health_of_one, 0 },
		{ NULL, 0 } };

	return api_suite_main("webhook/view", cases);
}
