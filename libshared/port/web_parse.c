/*
 * The head is held back until its empty line, then given to llhttp in one piece and taken apart by
 * web_request: both must accept it, but for the method: llhttp knows a list of them and would
 * refuse what is only not taken (405), so it is shown POST, and the method's grammar is
 * web_request's. Each request gets a fresh llhttp, so no state leaks from one to the next. Framing
 * (chunk headers, extensions, trailers) may cost at most FRAMING_BYTES plus FRAMING_RATIO times the
 * body, or a client could keep us busy without sending anything.
 */
#include "port/web_parse.h"

#include <stdlib.h>

#include <llhttp.h>

#include "port/web.h"
#include "port/web_request.h"

enum { FRAMING_BYTES = 16 * 1024, FRAMING_RATIO = 16 };

enum phase { PHASE_HEAD, PHASE_BODY, PHASE_END, PHASE_DONE, PHASE_FAILED };

struct web_parse {
	llhttp_t http;
	const struct web_limits *limits;
	struct buf head;
	struct web_request *request;
	struct str piece; /* set by on_body */
	struct err failure;
	uint64_t body_bytes;
	uint64_t framing_bytes;
	size_t line_bytes;  /* of the head's current line */
	size_t first_bytes; /* of the request line, 0 while it is not complete */
	enum phase phase;
	bool complete; /* set by on_complete */
	bool resumed;  /* a pause may have kept llhttp from finishing without more bytes */
	bool blank;    /* the one empty line allowed before a request was seen */
};

static int on_headers(llhttp_t *http)
{
	http->upgrade = 0; /* an Upgrade is not taken, so what follows is HTTP */
	return 0;
}

static int on_body(llhttp_t *http, const char *at, size_t len)
{
	struct web_parse *parse = http->data;

	parse->piece = (struct str){ at, len };
	return HPE_PAUSED;
}

static int on_complete(llhttp_t *http)
{
	struct web_parse *parse = http->data;

	parse->complete = true;
	return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
	.on_headers_complete = on_headers,
	.on_body = on_body,
	.on_message_complete = on_complete,
};

struct web_parse *web_parse_new(const struct web_limits *limits)
{
	struct web_parse *parse = calloc(1, sizeof *parse);

	if (parse == NULL)
		return NULL;
	parse->limits = limits;
	parse->head = BUF(limits->line_bytes + limits->header_bytes + 8);
	web_parse_next(parse);
	return parse;
}

void web_parse_free(struct web_parse *parse)
{
	if (parse == NULL)
		return;
	buf_done(&parse->head);
	web_request_free(parse->request);
	free(parse);
}

void web_parse_next(struct web_parse *parse)
{
	llhttp_init(&parse->http, HTTP_REQUEST, &settings);
	parse->http.data = parse;
	buf_clear(&parse->head);
	parse->body_bytes = 0;
	parse->framing_bytes = 0;
	parse->line_bytes = 0;
	parse->first_bytes = 0;
	parse->phase = PHASE_HEAD;
	parse->complete = false;
	parse->resumed = false;
	parse->blank = false;
}

bool web_parse_idle(const struct web_parse *parse)
{
	return parse->phase == PHASE_HEAD && parse->head.len == 0 && !parse->blank;
}

struct err web_parse_failure(const struct web_parse *parse)
{
	return parse->failure;
}

struct web_request *web_parse_take(struct web_parse *parse)
{
	struct web_request *request = parse->request;

	parse->request = NULL;
	return request;
}

static enum web_parse_step fail(struct web_parse *parse, struct err why)
{
	parse->phase = PHASE_FAILED;
	parse->failure = why;
	return WEB_PARSE_FAIL;
}

static enum web_parse_step refuse(struct web_parse *parse, const char *why)
{
	return fail(parse, err_reject(ERR_CODE_BAD_REQUEST, why));
}

/* The sizes after one more byte of the head. */
static struct err check_size(const struct web_parse *parse)
{
	size_t total = parse->head.len;

	if (parse->first_bytes == 0)
		return total <= parse->limits->line_bytes ? err_ok()
							  : err_reject(ERR_CODE_URI_TOO_LONG, NULL);
	if (total - parse->first_bytes <= parse->limits->header_bytes)
		return err_ok();
	return err_reject(ERR_CODE_HEADERS_TOO_LARGE, NULL);
}

/* A byte that is not part of a line end. */
static bool char_ok(const struct web_parse *parse, unsigned char c)
{
	bool first = parse->first_bytes == 0;

	if (c == 0x7f || (c < 0x20 && c != '\t'))
		return false;
	if (first)
		return c < 0x80 && c != '\t';
	/* a line that starts with a blank continues the one before (obs-fold) */
	return parse->line_bytes > 0 || (c != ' ' && c != '\t');
}

/* "... HTTP/1.x": seen at once, because an HTTP/0.9 request would never end. */
static bool version_ok(const struct buf *head)
{
	static const size_t tail = sizeof " HTTP/1.1\r\n" - 1;

	if (head->len < tail)
		return false;
	struct str end = { head->ptr + head->len - tail, tail };
	return str_eq(end, STR(" HTTP/1.1\r\n")) || str_eq(end, STR(" HTTP/1.0\r\n"));
}

/* A CRLF was completed. True when it ends the head. */
static bool end_line(struct web_parse *parse, bool *ret_bad)
{
	bool empty = parse->line_bytes == 0;

	parse->line_bytes = 0;
	if (parse->first_bytes > 0)
		return empty;
	if (empty) {
		*ret_bad = parse->blank;
		parse->blank = true;
		buf_clear(&parse->head);
		return false;
	}
	parse->first_bytes = parse->head.len;
	*ret_bad = !version_ok(&parse->head);
	return false;
}

/* Adds one byte to the head. WEB_PARSE_HEAD when it is complete. */
static enum web_parse_step scan(struct web_parse *parse, char c)
{
	bool after_cr = parse->head.len > 0 && parse->head.ptr[parse->head.len - 1] == '\r';
	bool wrong = false;

	buf_add(&parse->head, &c, 1);
	if (parse->head.overflow)
		return fail(parse, err_reject(ERR_CODE_HEADERS_TOO_LARGE, NULL));
	if (after_cr != (c == '\n'))
		return refuse(parse, "Lines must end in CR LF.");
	if (c == '\n') {
		if (end_line(parse, &wrong))
			return WEB_PARSE_HEAD;
		return wrong ? refuse(parse, "The request line is malformed.") : WEB_PARSE_MORE;
	}
	if (c == '\r')
		return WEB_PARSE_MORE;
	if (!char_ok(parse, (unsigned char)c))
		return refuse(parse, "The header holds characters that are not taken.");
	parse->line_bytes++;
	struct err size = check_size(parse);
	return size.kind == ERR_OK ? WEB_PARSE_MORE : fail(parse, size);
}

/* The head, its method replaced, and the target of a CONNECT to a host with it. */
static llhttp_errno_t execute_head(struct web_parse *parse)
{
	bool hidden = parse->request->path.len == 0;
	const struct str shown = hidden ? STR("POST /") : STR("POST");
	size_t own = parse->request->method.len;
	struct str rest;

	if (hidden) {
		const struct str line = { parse->head.ptr + own + 1, parse->head.len - own - 1 };
		own += 1 + str_cut(line, ' ', &rest).len;
	}
	llhttp_errno_t code = llhttp_execute(&parse->http, shown.ptr, shown.len);

	if (code != HPE_OK)
		return code;
	return llhttp_execute(&parse->http, parse->head.ptr + own, parse->head.len - own);
}

static enum web_parse_step finish_head(struct web_parse *parse)
{
	struct err e = web_request_new(
		buf_str(&parse->head), parse->limits->header_fields, &parse->request);

	if (e.kind != ERR_OK)
		return fail(parse, e);
	llhttp_errno_t code = execute_head(parse);
	if (code != HPE_OK && !(code == HPE_PAUSED && parse->complete))
		return refuse(parse, "The request is not HTTP/1.1.");
	if (parse->complete == web_request_has_body(parse->request))
		return refuse(parse, "The length of the body is not clear.");
	parse->phase = parse->complete ? PHASE_END : PHASE_BODY;
	buf_done(&parse->head);
	return WEB_PARSE_HEAD;
}

static enum web_parse_step feed_head(struct web_parse *parse, struct str *bytes)
{
	while (bytes->len > 0) {
		enum web_parse_step step = scan(parse, *bytes->ptr);
		bytes->ptr++;
		bytes->len--;
		if (step == WEB_PARSE_HEAD)
			return finish_head(parse);
		if (step != WEB_PARSE_MORE)
			return step;
	}
	return WEB_PARSE_MORE;
}

static enum web_parse_step feed_body(
	struct web_parse *parse, struct str *bytes, struct str *ret_piece)
{
	const char *from = bytes->len == 0 ? "" : bytes->ptr;

	if (bytes->len == 0 && !parse->resumed)
		return WEB_PARSE_MORE;
	parse->resumed = false;
	parse->piece = (struct str){ NULL, 0 };
	llhttp_errno_t code = llhttp_execute(&parse->http, from, bytes->len);
	if (code != HPE_OK && code != HPE_PAUSED)
		return refuse(parse, "The body is malformed.");
	size_t used = bytes->len;
	if (code == HPE_PAUSED) {
		used = (size_t)(llhttp_get_error_pos(&parse->http) - from);
		llhttp_resume(&parse->http);
		parse->resumed = true;
	}
	*bytes = (struct str){ from + used, bytes->len - used };
	/* counted against the body before this piece, so that it does not matter how the input is
	 * cut */
	parse->framing_bytes += used - parse->piece.len;
	if (parse->framing_bytes > FRAMING_BYTES + FRAMING_RATIO * parse->body_bytes)
		return refuse(parse, "The body is mostly framing.");
	parse->body_bytes += parse->piece.len;
	if (parse->complete) {
		parse->phase = PHASE_DONE;
		return WEB_PARSE_END;
	}
	*ret_piece = parse->piece;
	return parse->piece.len > 0 ? WEB_PARSE_BODY : WEB_PARSE_MORE;
}

enum web_parse_step web_parse_feed(
	struct web_parse *parse, struct str *bytes, struct str *ret_piece)
{
	switch (parse->phase) {
	case PHASE_HEAD:
		return feed_head(parse, bytes);
	case PHASE_BODY:
		return feed_body(parse, bytes, ret_piece);
	case PHASE_END:
		parse->phase = PHASE_DONE;
		return WEB_PARSE_END;
	case PHASE_DONE:
		return WEB_PARSE_MORE;
	case PHASE_FAILED:
		break;
	}
	return WEB_PARSE_FAIL;
}
