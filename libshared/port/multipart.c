/*
 * One pass, one byte of look-ahead less than the delimiter: CR occurs only at the delimiter's start
 * (boundaries cannot hold one), so after a mismatch the bytes held back are simply the delimiter's
 * own front and nothing has to be kept from the input.
 */
#include "port/multipart.h"

#include <stdlib.h>
#include <string.h>

enum { BOUNDARY_MAX_BYTES = 70, DELIMITER_MAX_BYTES = 4 + BOUNDARY_MAX_BYTES, NAME_MAX_BYTES = 64 };

enum state {
	STATE_OPENING, /* the first delimiter, without its CR LF */
	STATE_MARK,    /* behind a delimiter: CR LF or -- */
	STATE_HEADERS,
	STATE_BODY,
	STATE_EPILOGUE, /* behind the closing delimiter: nothing, or one CR LF */
	STATE_FAILED,
};

enum kind { KIND_FILE, KIND_FIELD, KIND_SKIPPED };

struct multipart {
	const struct multipart_events *events;
	void *arg;
	struct buf head; /* headers of the part */
	struct buf value;
	struct err failure;
	uint64_t file_bytes;
	size_t matched; /* of the delimiter, or of what the state expects */
	unsigned parts;
	enum state state;
	enum kind kind;
	bool has_file;
	size_t delimiter_len;
	char delimiter[DELIMITER_MAX_BYTES];
	char name[NAME_MAX_BYTES + 1];
};

static struct err bad(const char *why)
{
	return err_reject(ERR_CODE_BAD_MULTIPART, why);
}

/* --- header values: "type; name=token; name="quoted"" (RFC 9110 section 5.6.6) --- */

static bool is_token(struct str text)
{
	static const char others[] = "!#$%&'*+-.^_`|~";

	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		bool alnum =
			(c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
		if (!alnum && (c == '\0' || strchr(others, c) == NULL))
			return false;
	}
	return text.len > 0;
}

static struct str skip(struct str text, size_t len)
{
	return (struct str){ text.ptr + len, text.len - len };
}

/* The text behind the opening quote of *rest, unescaped into out; *rest is moved behind the closing
 * one. False when there is none, or no room. */
static bool take_quoted(struct str *rest, struct buf *out)
{
	struct str text = skip(*rest, 1);

	while (text.len > 0 && text.ptr[0] != '"') {
		if (text.ptr[0] == '\\')
			text = skip(text, 1);
		if (text.len == 0)
			return false;
		buf_add(out, text.ptr, 1);
		text = skip(text, 1);
	}
	if (text.len == 0 || out->overflow)
		return false;
	*rest = skip(text, 1);
	return true;
}

/* The next "; name=value" of *rest. False at a malformed one; an empty name at the end. */
static bool take_param(struct str *rest, struct str *ret_name, struct buf *ret_value)
{
	struct str text = str_trim(*rest);

	buf_clear(ret_value);
	*ret_name = (struct str){ NULL, 0 };
	if (text.len == 0)
		return true;
	if (text.ptr[0] != ';')
		return false;
	text = str_trim(skip(text, 1));
	*ret_name = str_cut(text, '=', &text);
	if (!is_token(*ret_name) || text.len == 0)
		return false;
	if (text.ptr[0] == '"') {
		*rest = text;
		return take_quoted(rest, ret_value);
	}
	size_t len = 0;
	while (len < text.len && text.ptr[len] != ';' && text.ptr[len] != ' ' &&
		text.ptr[len] != '\t')
		len++;
	buf_add(ret_value, text.ptr, len);
	*rest = skip(text, len);
	return is_token((struct str){ text.ptr, len }) && !ret_value->overflow;
}

/* The value of the one parameter called name, NUL-terminated in ret_value. False when it is
 * missing, given twice, empty, or the list is malformed. */
static bool find_param(struct str list, struct str name, char *ret_value, size_t max)
{
	struct buf value SCOPED(buf_done) = BUF(MULTIPART_HEADER_MAX_BYTES);
	struct str key;
	bool found = false;

	for (;;) {
		if (!take_param(&list, &key, &value))
			return false;
		if (key.len == 0)
			return found;
		if (!str_ieq(key, name))
			continue;
		if (found || value.len == 0 || value.len > max ||
			memchr(value.ptr, 0, value.len) != NULL)
			return false;
		memcpy(ret_value, value.ptr, value.len + 1);
		found = true;
	}
}

/* The media type (or disposition) in front; *ret_params starts at the first ";". */
static struct str take_type(struct str value, struct str *ret_params)
{
	struct str rest, type = str_cut(value, ';', &rest);

	*ret_params = rest.ptr == NULL ? rest : (struct str){ rest.ptr - 1, rest.len + 1 };
	return str_trim(type);
}

bool multipart_is(struct str content_type)
{
	struct str params;

	return str_ieq(take_type(content_type, &params), STR("multipart/form-data"));
}

static bool boundary_ok(const char *text)
{
	static const char taken[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "'()+_,-./:=? ";
	size_t len = strlen(text);

	return len > 0 && strspn(text, taken) == len && text[len - 1] != ' ';
}

struct err multipart_new(struct str content_type, const struct multipart_events *events, void *arg,
	struct multipart **ret_multipart)
{
	char boundary[BOUNDARY_MAX_BYTES + 1];
	struct str params;

	if (!str_ieq(take_type(content_type, &params), STR("multipart/form-data")))
		return bad("The content type is not multipart/form-data.");
	if (!find_param(params, STR("boundary"), boundary, BOUNDARY_MAX_BYTES) ||
		!boundary_ok(boundary))
		return bad("The content type names no usable boundary.");
	struct multipart *multipart = calloc(1, sizeof *multipart);
	if (multipart == NULL)
		return err_retry(ERR_CODE_OUT_OF_MEMORY, "no memory for a multipart parser");
	multipart->events = events;
	multipart->arg = arg;
	multipart->head = BUF(MULTIPART_HEADER_MAX_BYTES);
	multipart->value = BUF(MULTIPART_FIELD_MAX_BYTES);
	multipart->matched = 2; /* the first delimiter has no CR LF in front */
	size_t len = strlen(boundary);
	memcpy(multipart->delimiter, "\r\n--", 4);
	memcpy(multipart->delimiter + 4, boundary, len);
	multipart->delimiter_len = 4 + len;
	*ret_multipart = multipart;
	return err_ok();
}

void multipart_free(struct multipart *multipart)
{
	if (multipart == NULL)
		return;
	buf_done(&multipart->head);
	buf_done(&multipart->value);
	free(multipart);
}

/* --- a part's headers --- */

static struct err see_disposition(struct multipart *multipart, struct str value)
{
	struct str params;

	if (multipart->name[0] != '\0')
		return bad("A part has two Content-Dispositions.");
	if (!str_ieq(take_type(value, &params), STR("form-data")))
		return bad("A part is not form-data.");
	if (!find_param(params, STR("name"), multipart->name, NAME_MAX_BYTES))
		return bad("A part has no usable name.");
	return err_ok();
}

static struct err see_header(struct multipart *multipart, struct str line)
{
	struct str value, name = str_cut(line, ':', &value);

	if (!is_token(name) || value.ptr == NULL)
		return bad("A part's header is malformed.");
	for (size_t i = 0; i < value.len; i++)
		if (((unsigned char)value.ptr[i] < 0x20 && value.ptr[i] != '\t') ||
			value.ptr[i] == 0x7f)
			return bad("A part's header is malformed.");
	value = str_trim(value);
	if (str_ieq(name, STR("content-disposition")))
		return see_disposition(multipart, value);
	/* RFC 7578 section 4.7: nobody encodes parts any more */
	if (str_ieq(name, STR("content-transfer-encoding")) && !str_ieq(value, STR("binary")) &&
		!str_ieq(value, STR("8bit")) && !str_ieq(value, STR("7bit")))
		return bad("A part is encoded.");
	return err_ok();
}

static struct err begin_part(struct multipart *multipart)
{
	if (++multipart->parts > MULTIPART_MAX_PARTS)
		return bad("There are too many parts.");
	if (strcmp(multipart->name, "file") == 0) {
		if (multipart->has_file)
			return bad("There are two parts named file.");
		multipart->has_file = true;
		multipart->kind = KIND_FILE;
	} else {
		multipart->kind = multipart->events->field == NULL ? KIND_SKIPPED : KIND_FIELD;
	}
	multipart->state = STATE_BODY;
	multipart->matched = 0;
	buf_clear(&multipart->value);
	return err_ok();
}

static struct err finish_headers(struct multipart *multipart)
{
	struct str head = buf_str(&multipart->head);

	multipart->name[0] = '\0';
	while (head.len > 2) {
		struct str line = str_cut(head, '\r', &head);
		if (head.len == 0 || head.ptr[0] != '\n')
			return bad("A part's header is malformed.");
		head = skip(head, 1);
		TRY(see_header(multipart, line));
	}
	if (multipart->name[0] == '\0')
		return bad("A part has no name.");
	return begin_part(multipart);
}

/* --- the states; each consumes at least one byte of *bytes --- */

static struct err feed_headers(struct multipart *multipart, struct str *bytes)
{
	const struct buf *head = &multipart->head;

	while (bytes->len > 0) {
		buf_add(&multipart->head, bytes->ptr, 1);
		*bytes = skip(*bytes, 1);
		if (multipart->head.overflow)
			return bad("A part's headers are too large.");
		if (head->len == 2 && memcmp(head->ptr, "\r\n", 2) == 0)
			return bad("A part has no name.");
		if (head->len >= 4 && memcmp(head->ptr + head->len - 4, "\r\n\r\n", 4) == 0)
			return finish_headers(multipart);
	}
	return err_ok();
}

static struct err emit(struct multipart *multipart, struct str bytes)
{
	if (bytes.len == 0 || multipart->kind == KIND_SKIPPED)
		return err_ok();
	if (multipart->kind == KIND_FILE) {
		multipart->file_bytes += bytes.len;
		return multipart->events->file(multipart->arg, bytes);
	}
	buf_add_str(&multipart->value, bytes);
	return multipart->value.overflow ? bad("A field is too large.") : err_ok();
}

static struct err end_part(struct multipart *multipart)
{
	multipart->state = STATE_MARK;
	multipart->matched = 0;
	buf_clear(&multipart->head);
	if (multipart->kind != KIND_FIELD)
		return err_ok();
	struct str value = buf_str(&multipart->value);
	return multipart->events->field(
		multipart->arg, str_of(multipart->name), value.ptr == NULL ? STR("") : value);
}

static struct err feed_body(struct multipart *multipart, struct str *bytes)
{
	if (multipart->matched == 0) {
		const char *cr = memchr(bytes->ptr, '\r', bytes->len);
		size_t len = cr == NULL ? bytes->len : (size_t)(cr - bytes->ptr);
		struct str plain = { bytes->ptr, len };
		multipart->matched = cr == NULL ? 0 : 1;
		*bytes = skip(*bytes, len + multipart->matched);
		return emit(multipart, plain);
	}
	while (bytes->len > 0 && bytes->ptr[0] == multipart->delimiter[multipart->matched]) {
		*bytes = skip(*bytes, 1);
		if (++multipart->matched == multipart->delimiter_len)
			return end_part(multipart);
	}
	if (bytes->len == 0)
		return err_ok();
	struct str front = { multipart->delimiter, multipart->matched };
	multipart->matched = 0;
	return emit(multipart, front);
}

static struct err feed_opening(struct multipart *multipart, struct str *bytes)
{
	if (bytes->ptr[0] != multipart->delimiter[multipart->matched])
		return bad("The body does not start with the boundary.");
	*bytes = skip(*bytes, 1);
	if (++multipart->matched == multipart->delimiter_len) {
		multipart->state = STATE_MARK;
		multipart->matched = 0;
	}
	return err_ok();
}

static struct err feed_mark(struct multipart *multipart, struct str *bytes)
{
	char c = bytes->ptr[0];

	*bytes = skip(*bytes, 1);
	buf_add(&multipart->head, &c, 1);
	if (multipart->head.len < 2)
		return err_ok();
	bool part = memcmp(multipart->head.ptr, "\r\n", 2) == 0;
	bool end = memcmp(multipart->head.ptr, "--", 2) == 0;
	buf_clear(&multipart->head);
	if (!part && !end)
		return bad("A boundary goes on.");
	multipart->state = part ? STATE_HEADERS : STATE_EPILOGUE;
	return err_ok();
}

static struct err feed_epilogue(struct multipart *multipart, struct str *bytes)
{
	static const char end[] = "\r\n";

	if (multipart->matched == 2 || bytes->ptr[0] != end[multipart->matched])
		return bad("Something follows the closing boundary.");
	multipart->matched++;
	*bytes = skip(*bytes, 1);
	return err_ok();
}

static struct err feed_state(struct multipart *multipart, struct str *bytes)
{
	switch (multipart->state) {
	case STATE_OPENING:
		return feed_opening(multipart, bytes);
	case STATE_MARK:
		return feed_mark(multipart, bytes);
	case STATE_HEADERS:
		return feed_headers(multipart, bytes);
	case STATE_BODY:
		return feed_body(multipart, bytes);
	case STATE_EPILOGUE:
		return feed_epilogue(multipart, bytes);
	case STATE_FAILED:
		break;
	}
	return multipart->failure;
}

static struct err settle(struct multipart *multipart, struct err e)
{
	if (e.kind != ERR_OK) {
		multipart->state = STATE_FAILED;
		multipart->failure = e;
	}
	return e;
}

struct err multipart_feed(struct multipart *multipart, struct str bytes)
{
	if (multipart->state == STATE_FAILED)
		return multipart->failure;
	while (bytes.len > 0)
		TRY(settle(multipart, feed_state(multipart, &bytes)));
	return err_ok();
}

struct err multipart_end(struct multipart *multipart)
{
	if (multipart->state == STATE_FAILED)
		return multipart->failure;
	if (multipart->state != STATE_EPILOGUE || multipart->matched == 1)
		return settle(multipart, bad("The closing boundary is missing."));
	if (!multipart->has_file)
		return settle(multipart, bad("There is no part named file."));
	return err_ok();
}

uint64_t multipart_file_bytes(const struct multipart *multipart)
{
	return multipart->file_bytes;
}
