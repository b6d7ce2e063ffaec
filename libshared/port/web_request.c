/*
 * A request is refused rather than repaired: whatever two servers in a row could understand
 * differently (RFC 9112 section 11.2) is a 400.
 */
#include "port/web_request.h"

#include <stdlib.h>
#include <string.h>

#include "base/encode.h"

static struct err bad(const char *why)
{
	return err_reject(ERR_CODE_BAD_REQUEST, why);
}

/* The byte of a "%XX" at text[at], -1 when it is malformed. */
static int escape_at(struct str text, size_t at)
{
	if (text.len - at < 3)
		return -1;
	int high = encode_hex_digit(text.ptr[at + 1]), low = encode_hex_digit(text.ptr[at + 2]);
	return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* All escapes well-formed, none a NUL. */
static bool escapes_ok(struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] == '%' && escape_at(text, i) <= 0)
			return false;
	return true;
}

size_t web_request_decode(struct str text, bool plus, char *ret_text)
{
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (c == '%') {
			c = (char)escape_at(text, i);
			i += 2;
		} else if (c == '+' && plus) {
			c = ' ';
		}
		ret_text[len++] = c;
	}
	return len;
}

static bool is_dots(struct str segment)
{
	return str_eq(segment, STR(".")) || str_eq(segment, STR(".."));
}

static bool host_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("-._~%!$&'()*+,;=", c) != NULL);
}

/* A character of a path that is its own escape as well: two spellings would name one route, and who
 * stands before us may know only one of them. */
static bool is_plain(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_' || c == '/';
}

/* pchar of RFC 3986 and "/"; escapes are well-formed. */
static bool path_ok(struct str raw)
{
	for (size_t i = 0; i < raw.len; i++) {
		char c = raw.ptr[i];
		bool escape = c == '%';
		if (escape && is_plain(escape_at(raw, i)))
			return false;
		if (!escape && !host_char(c) && c != ':' && c != '@' && c != '/')
			return false;
	}
	return true;
}

/* The decoded path must be text, and must not climb. */
static bool decoded_ok(struct str decoded)
{
	for (size_t i = 0; i < decoded.len; i++)
		if ((unsigned char)decoded.ptr[i] < 0x20 || decoded.ptr[i] == 0x7f)
			return false;
	for (struct str rest = decoded; rest.len > 0;)
		if (is_dots(str_cut(rest, '/', &rest)))
			return false;
	return str_is_utf8(decoded);
}

static bool literal_char(char c)
{
	return encode_hex_digit(c) >= 0 || c == ':' || c == '.';
}

/* uri-host [ ":" port ] of RFC 3986, without user information; not empty. */
static bool authority_ok(struct str text)
{
	bool literal = text.len > 0 && text.ptr[0] == '[';
	size_t at = literal ? 1 : 0, start = at;

	while (at < text.len && (literal ? literal_char(text.ptr[at]) : host_char(text.ptr[at])))
		at++;
	if (at == start)
		return false;
	if (literal && (at == text.len || text.ptr[at++] != ']'))
		return false;
	if (at == text.len)
		return escapes_ok(text);
	struct str port = { text.ptr + at + 1, text.len - at - 1 };
	uint64_t number;
	return text.ptr[at] == ':' && port.len <= 5 && str_to_u64(port, &number) &&
	       number <= 65535 && escapes_ok(text);
}

/* "http://host/path" (RFC 9112 section 3.2.2) without its front; *text as it is otherwise. */
static bool strip_origin(struct str *text)
{
	static const struct str schemes[] = { { "http://", 7 }, { "https://", 8 } };

	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
		struct str scheme = schemes[i];
		if (text->len < scheme.len ||
			!str_ieq((struct str){ text->ptr, scheme.len }, scheme))
			continue;
		struct str rest = { text->ptr + scheme.len, text->len - scheme.len };
		size_t host = 0;
		while (host < rest.len && rest.ptr[host] != '/' && rest.ptr[host] != '?')
			host++;
		if (!authority_ok((struct str){ rest.ptr, host }))
			return false;
		*text = (struct str){ rest.ptr + host, rest.len - host };
		return true;
	}
	return true;
}

static struct err parse_target(struct web_request *request, struct str target, char *decoded)
{
	if (!strip_origin(&target))
		return bad("The request target names no valid host.");
	if (memchr(target.ptr, '#', target.len) != NULL || !escapes_ok(target))
		return bad("The request target is malformed.");
	request->path = str_cut(target, '?', &request->query);
	if (request->path.len == 0)
		request->path = STR("/");
	if (request->path.ptr[0] != '/')
		return bad("The request target is not a path.");
	if (!str_is_utf8(
		    (struct str){ decoded, web_request_decode(request->query, true, decoded) }))
		return bad("The query is not UTF-8.");
	request->decoded.ptr = decoded;
	request->decoded.len = web_request_decode(request->path, false, decoded);
	if (!path_ok(request->path) || !decoded_ok(request->decoded))
		return bad("The path holds characters that are not taken.");
	return err_ok();
}

/* Up to the next CRLF, which is consumed; the head is known to hold one. */
static struct str take_line(struct str *head)
{
	struct str line = str_cut(*head, '\r', head);

	if (head->len > 0) {
		head->ptr++;
		head->len--;
	}
	return line;
}

/* A token of RFC 9110 section 5.6.2; one that no route takes is answered 405 later. */
static bool method_ok(struct str method)
{
	static const char others[] = "!#$%&'*+-.^_`|~";

	for (size_t i = 0; i < method.len; i++) {
		char c = method.ptr[i];
		bool plain =
			(c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

		if (!plain && (c == '\0' || strchr(others, c) == NULL))
			return false;
	}
	return method.len > 0;
}

static bool is_connect(const struct web_request *request)
{
	return str_eq(request->method, STR("CONNECT"));
}

static struct err parse_line(struct web_request *request, struct str line, char *decoded)
{
	struct str rest, version;

	request->method = str_cut(line, ' ', &rest);
	struct str target = str_cut(rest, ' ', &version);
	if (!method_ok(request->method) || target.len == 0)
		return bad("The request line is malformed.");
	if (str_eq(version, STR("HTTP/1.1")))
		request->minor_version = 1;
	else if (!str_eq(version, STR("HTTP/1.0")))
		return bad("The HTTP version is not taken.");
	if (is_connect(request) && authority_ok(target))
		return err_ok();
	return parse_target(request, target, decoded);
}

static bool has_token(struct str list, struct str token)
{
	while (list.len > 0)
		if (str_ieq(str_trim(str_cut(list, ',', &list)), token))
			return true;
	return false;
}

static struct err see_length(struct web_request *request, struct str value)
{
	uint64_t number;

	if (request->content_length >= 0 || !str_to_u64(value, &number) || number > INT64_MAX)
		return bad("Content-Length is malformed or given twice.");
	request->content_length = (int64_t)number;
	return err_ok();
}

static struct err see_coding(struct web_request *request, struct str value)
{
	if (request->chunked || request->minor_version == 0 || !str_ieq(value, STR("chunked")))
		return bad("Only one Transfer-Encoding, chunked, is taken.");
	request->chunked = true;
	return err_ok();
}

static struct err see_connection(struct web_request *request, struct str value)
{
	if (has_token(value, STR("close")))
		request->keep_alive = false;
	return err_ok();
}

static struct err see_expect(struct web_request *request, struct str value)
{
	if (!str_ieq(value, STR("100-continue")))
		return bad("Only the expectation 100-continue is taken.");
	request->expects_continue = request->minor_version == 1;
	return err_ok();
}

static struct err see_host(struct web_request *request, struct str value)
{
	(void)request;
	return authority_ok(value) ? err_ok() : bad("Host is malformed.");
}

/* Fields that mean something to the server itself. */
static const struct {
	struct str name;
	struct err (*see)(struct web_request *request, struct str value);
} known[] = {
	{ { "host", 4 }, see_host },
	{ { "content-length", 14 }, see_length },
	{ { "transfer-encoding", 17 }, see_coding },
	{ { "connection", 10 }, see_connection },
	{ { "expect", 6 }, see_expect },
};

static struct err see_field(struct web_request *request, const struct web_request_field *field)
{
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (str_ieq(field->name, known[i].name))
			return known[i].see(request, field->value);
	return err_ok();
}

static struct err see_fields(struct web_request *request)
{
	size_t hosts = 0;

	for (size_t i = 0; i < request->field_count; i++) {
		hosts += str_ieq(request->fields[i].name, STR("host"));
		TRY(see_field(request, &request->fields[i]));
	}
	/* HTTP/1.0 knows no Host (RFC 9112 section 3.2); routes do not depend on it */
	if (hosts > 1 || (hosts == 0 && request->minor_version == 1))
		return bad("Exactly one Host is needed.");
	if (request->chunked && request->content_length >= 0)
		return bad("Content-Length and Transfer-Encoding exclude each other.");
	return err_ok();
}

static struct err parse_fields(struct web_request *request, struct str head)
{
	while (head.len > 0) {
		struct str value, line = take_line(&head);
		if (line.len == 0)
			break;
		struct str name = str_cut(line, ':', &value);
		if (name.len == 0 || name.len == line.len || str_trim(name).len != name.len)
			return bad("A header field is malformed.");
		request->fields[request->field_count++] =
			(struct web_request_field){ name, str_trim(value) };
	}
	return see_fields(request);
}

/* Lines of the head, the request line and the empty one included. */
static size_t count_lines(struct str head)
{
	size_t lines = 0;

	for (size_t i = 0; i < head.len; i++)
		lines += head.ptr[i] == '\n';
	return lines;
}

struct err web_request_new(struct str head, size_t max_fields, struct web_request **ret_request)
{
	size_t lines = count_lines(head);
	size_t fields = lines < 2 ? 0 : lines - 2;

	if (fields > max_fields)
		return err_reject(ERR_CODE_HEADERS_TOO_LARGE, NULL);
	/* behind the fields: the head, then room for the decoded path, which is never longer */
	size_t front = sizeof(struct web_request) + fields * sizeof(struct web_request_field);
	struct web_request *request = calloc(1, front + 2 * head.len + 1);
	if (request == NULL)
		return err_retry(ERR_CODE_OUT_OF_MEMORY, NULL);
	char *text = (char *)request + front;
	memcpy(text, head.ptr, head.len);
	struct str rest = { text, head.len };
	request->content_length = -1;
	struct err e = parse_line(request, take_line(&rest), text + head.len);
	/* what follows a CONNECT would be somebody else's, had it been taken (RFC 9110, 9.3.6) */
	request->keep_alive = request->minor_version == 1 && !is_connect(request);
	if (e.kind == ERR_OK)
		e = parse_fields(request, rest);
	if (e.kind != ERR_OK) {
		free(request);
		return e;
	}
	*ret_request = request;
	return err_ok();
}

void web_request_free(struct web_request *request)
{
	free(request);
}

struct str web_request_header(const struct web_request *request, struct str name)
{
	for (size_t i = 0; i < request->field_count; i++)
		if (str_ieq(request->fields[i].name, name))
			return request->fields[i].value;
	return (struct str){ NULL, 0 };
}

struct str web_request_header_once(const struct web_request *request, struct str name)
{
	struct str found = { NULL, 0 };
	size_t times = 0;

	for (size_t i = 0; i < request->field_count; i++)
		if (str_ieq(request->fields[i].name, name)) {
			found = request->fields[i].value;
			times++;
		}
	return times == 1 ? found : (struct str){ NULL, 0 };
}

bool web_request_has_body(const struct web_request *request)
{
	return request->chunked || request->content_length > 0;
}

/* Whether the decoded form of raw is name. */
static bool decodes_to(struct str raw, struct str name)
{
	size_t at = 0;

	for (size_t i = 0; i < raw.len; i++, at++) {
		char c = raw.ptr[i] == '+' ? ' ' : raw.ptr[i];
		if (c == '%') {
			c = (char)escape_at(raw, i);
			i += 2;
		}
		if (at == name.len || name.ptr[at] != c)
			return false;
	}
	return at == name.len;
}

struct str web_request_query(const struct web_request *request, struct str name)
{
	for (struct str rest = request->query; rest.len > 0;) {
		struct str value, pair = str_cut(rest, '&', &rest);
		struct str raw = str_cut(pair, '=', &value);
		if (pair.len > 0 && decodes_to(raw, name))
			return value.ptr == NULL ? STR("") : value;
	}
	return (struct str){ NULL, 0 };
}
