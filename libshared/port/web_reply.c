/*
 * Answers are built in one buffer and handed to the connection in one piece: a small one is one
 * packet. What a handler says after its exchange was aborted is dropped here, so that handlers need
 * not care.
 */
#include "port/web_reply.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "port/web_conn.h"
#include "port/web_cors.h"
#include "port/web_exchange.h"
#include "port/web_pool.h"
#include "port/web_request.h"

enum { HEAD_MAX_BYTES = 64 * 1024, BODY_MAX_BYTES = 32 * 1024 * 1024, CHUNK_EXTRA_BYTES = 32 };

static const char *reason(int status)
{
	static const struct {
		int status;
		const char *reason;
	} rows[] = {
		{ 200, "OK" },
		{ 201, "Created" },
		{ 202, "Accepted" },
		{ 204, "No Content" },
		{ 304, "Not Modified" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 408, "Request Timeout" },
		{ 409, "Conflict" },
		{ 410, "Gone" },
		{ 411, "Length Required" },
		{ 413, "Content Too Large" },
		{ 414, "URI Too Long" },
		{ 415, "Unsupported Media Type" },
		{ 422, "Unprocessable Content" },
		{ 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" },
		{ 503, "Service Unavailable" },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].status == status)
			return rows[i].reason;
	return "";
}

static bool value_ok(struct str value)
{
	for (size_t i = 0; i < value.len; i++)
		if (((unsigned char)value.ptr[i] < 0x20 && value.ptr[i] != '\t') ||
			value.ptr[i] == 0x7f)
			return false;
	return true;
}

static bool has_content(int status)
{
	return status >= 200 && status != 204 && status != 304;
}

static bool is_head(const struct web_exchange *exchange)
{
	return exchange->request != NULL && str_eq(exchange->request->method, STR("HEAD"));
}

/* IMF-fixdate of RFC 9110 section 5.6.7, whatever the locale. */
static void add_date(struct buf *out)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	buf_addf(out, "Date: %.3s, %02d %.3s %d %02d:%02d:%02d GMT\r\n", days + 3 * tm.tm_wday,
		tm.tm_mday, months + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
		tm.tm_sec);
}

/* What every answer says unless its handler says it otherwise. */
static const struct web_field hygiene[] = {
	{ "X-Content-Type-Options", { "nosniff", 7 } },
	{ "Referrer-Policy", { "no-referrer", 11 } },
	{ "Content-Security-Policy",
		{ "default-src 'none'; base-uri 'none'; frame-ancestors 'none'", 59 } },
	{ "Cache-Control", { "no-store", 8 } },
	{ NULL, { NULL, 0 } },
};

static bool is_given(const struct web_field *fields, const char *name)
{
	for (; fields != NULL && fields->name != NULL; fields++)
		if (str_ieq(str_of(fields->name), str_of(name)) && value_ok(fields->value))
			return true;
	return false;
}

static void add_fields(struct buf *out, const struct web_field *fields)
{
	for (; fields != NULL && fields->name != NULL; fields++) {
		if (!value_ok(fields->value))
			continue;
		buf_addf(out, "%s: ", fields->name);
		buf_add_str(out, fields->value);
		buf_add_str(out, STR("\r\n"));
	}
}

static void add_hygiene(
	const struct web_exchange *exchange, struct buf *out, const struct web_field *given)
{
	for (const struct web_field *field = hygiene; field->name != NULL; field++)
		if (!is_given(given, field->name))
			buf_addf(out, "%s: %s\r\n", field->name, field->value.ptr);
	/* a promise that only TLS can make (RFC 6797 section 7.2) */
	if (exchange->conn->pool->conf.tls != NULL)
		buf_add_str(out, STR("Strict-Transport-Security: max-age=31536000; "
				     "includeSubDomains\r\n"));
	web_cors_add(exchange, out);
}

/* Status line and fields, but for those of the framing and the empty line. */
static void add_head(
	struct web_exchange *exchange, struct buf *out, int status, const struct web_field *fields)
{
	exchange->status = status;
	buf_addf(out, "HTTP/1.1 %d %s\r\n", status, reason(status));
	add_date(out);
	buf_addf(out, "X-Request-Id: %s\r\n", exchange->request_id);
	add_fields(out, fields);
	add_hygiene(exchange, out, fields);
	buf_add_str(out, str_of(exchange->more.fields));
	if (exchange->more.retry_after_s > 0)
		buf_addf(out, "Retry-After: %u\r\n", exchange->more.retry_after_s);
	if (!exchange->keep_alive)
		buf_add_str(out, STR("Connection: close\r\n"));
}

/* Hands the buffer over; without memory the connection is dropped. */
static bool send(struct web_exchange *exchange, struct buf *out)
{
	if (out->overflow) {
		buf_done(out);
		web_conn_drop(exchange->conn);
		return false;
	}
	size_t size_bytes = out->len;
	web_conn_send(exchange->conn, buf_take(out), size_bytes);
	return true;
}

static void send_whole(
	struct web_exchange *exchange, int status, const struct web_field *headers, struct str body)
{
	struct buf out = BUF(HEAD_MAX_BYTES + body.len);

	exchange->keep_alive = web_conn_keeps(exchange->conn);
	add_head(exchange, &out, status, headers);
	if (has_content(status))
		buf_addf(&out, "Content-Length: %zu\r\n", body.len);
	buf_add_str(&out, STR("\r\n"));
	if (has_content(status) && !is_head(exchange))
		buf_add_str(&out, body);
	exchange->reply = WEB_REPLY_SILENT;
	if (send(exchange, &out))
		web_conn_end(exchange->conn);
}

void web_reply_send(
	struct web_exchange *exchange, int status, const struct web_field *headers, struct str body)
{
	if (exchange->reply == WEB_REPLY_MUTE)
		return;
	assert(exchange->reply == WEB_REPLY_NONE);
	if (body.len > BODY_MAX_BYTES)
		web_reply_problem(exchange, ERR_CODE_INTERNAL, NULL);
	else
		send_whole(exchange, status, headers, body);
}

static void add_json(struct buf *out, const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;
		if (c == '"' || c == '\\')
			buf_addf(out, "\\%c", c);
		else if (c < 0x20)
			buf_addf(out, "\\u%04x", c);
		else
			buf_add(out, text, 1);
	}
}

void web_reply_problem_with(struct web_exchange *exchange, enum err_code code, const char *detail,
	const struct web_field *headers)
{
	struct buf body = BUF(HEAD_MAX_BYTES);
	struct web_field all[8] = { { "Content-Type", STR("application/problem+json") } };
	size_t count = 1;

	if (exchange->reply == WEB_REPLY_MUTE)
		return;
	assert(exchange->reply == WEB_REPLY_NONE);
	if (err_code_status(code) == 0)
		code = ERR_CODE_INTERNAL;
	int status = err_code_status(code);
	if (status == 401) /* RFC 9110 section 15.5.2 */
		all[count++] =
			(struct web_field){ "WWW-Authenticate", STR("ApiKey realm=\"esteira\"") };
	for (; headers != NULL && headers->name != NULL && count < sizeof all / sizeof *all - 1;
		headers++)
		all[count++] = *headers;
	buf_addf(&body,
		"{\"type\":\"urn:esteira:error:%s\",\"title\":\"%s\",\"status\":%d,\"code\":\"%s\"",
		err_code_name(code), err_code_title(code), status, err_code_name(code));
	if (detail != NULL && detail[0] != '\0' && str_is_utf8(str_of(detail))) {
		buf_add_str(&body, STR(",\"detail\":\""));
		add_json(&body, detail);
		buf_add_str(&body, STR("\""));
	}
	buf_add_str(&body, STR("}\n"));
	send_whole(exchange, status, all, buf_str(&body));
	buf_done(&body);
}

void web_reply_problem(struct web_exchange *exchange, enum err_code code, const char *detail)
{
	web_reply_problem_with(exchange, code, detail, NULL);
}

void web_reply_retry_after(struct web_exchange *exchange, unsigned seconds)
{
	exchange->more.retry_after_s = seconds;
}

void web_reply_also(struct web_exchange *exchange, const struct web_field *fields)
{
	size_t len = strlen(exchange->more.fields);

	for (; fields->name != NULL; fields++) {
		int value = (int)fields->value.len;
		size_t room = sizeof exchange->more.fields - len;
		int used = snprintf(exchange->more.fields + len, room, "%s: %.*s\r\n", fields->name,
			value, fields->value.ptr);
		assert(used > 0 && (size_t)used < room);
		len += (size_t)used;
	}
}

void web_reply_start(struct web_exchange *exchange, int status, const struct web_field *headers)
{
	struct buf out = BUF(HEAD_MAX_BYTES);

	if (exchange->reply == WEB_REPLY_MUTE)
		return;
	assert(exchange->reply == WEB_REPLY_NONE);
	bool chunked = exchange->request != NULL && exchange->request->minor_version == 1;
	exchange->keep_alive = chunked && web_conn_keeps(exchange->conn);
	exchange->reply = chunked ? WEB_REPLY_CHUNKED : WEB_REPLY_RAW;
	if (is_head(exchange) || !has_content(status))
		exchange->reply = WEB_REPLY_SILENT;
	add_head(exchange, &out, status, headers);
	if (chunked && has_content(status))
		buf_add_str(&out, STR("Transfer-Encoding: chunked\r\n"));
	buf_add_str(&out, STR("\r\n"));
	send(exchange, &out);
}

void web_reply_write(struct web_exchange *exchange, struct str bytes)
{
	enum web_exchange_reply reply = exchange->reply;

	if (reply == WEB_REPLY_MUTE || reply == WEB_REPLY_SILENT || bytes.len == 0)
		return;
	assert(reply != WEB_REPLY_NONE);
	struct buf out = BUF(bytes.len + CHUNK_EXTRA_BYTES);
	if (reply == WEB_REPLY_CHUNKED)
		buf_addf(&out, "%zx\r\n", bytes.len);
	buf_add_str(&out, bytes);
	if (reply == WEB_REPLY_CHUNKED)
		buf_add_str(&out, STR("\r\n"));
	if (!send(exchange, &out))
		return;
	const struct web_conf *conf = &exchange->conn->pool->conf;
	if (web_conn_pending_bytes(exchange->conn) > conf->limits.pending_bytes)
		web_conn_drop(exchange->conn);
}

void web_reply_end(struct web_exchange *exchange)
{
	struct buf out = BUF(CHUNK_EXTRA_BYTES);

	if (exchange->reply == WEB_REPLY_MUTE)
		return;
	assert(exchange->reply != WEB_REPLY_NONE);
	if (exchange->reply == WEB_REPLY_CHUNKED)
		buf_add_str(&out, STR("0\r\n\r\n"));
	if (send(exchange, &out))
		web_conn_end(exchange->conn);
}

size_t web_reply_pending_bytes(const struct web_exchange *exchange)
{
	return web_conn_pending_bytes(exchange->conn);
}

void web_reply_on_drain(struct web_exchange *exchange,
	void (*fn)(struct web_exchange *exchange, void *arg), void *arg)
{
	exchange->on_drain = (struct web_exchange_hook){ fn, arg };
}
