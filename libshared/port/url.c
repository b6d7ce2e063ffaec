#include "port/url.h"

#include "port/address.h"

#include <string.h>

enum { LABEL_MAX = 63, PORT_DIGITS = 5 };

static struct err bad(const char *msg)
{
	return err_reject(ERR_CODE_BAD_PARAMETER, msg);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* pchar, "/" and "?" of RFC 3986; a '%' begins an escape. */
static bool is_path(struct str path)
{
	static const char marks[] = "-._~!$&'()*+,;=:@/?";

	for (size_t i = 0; i < path.len; i++) {
		char c = path.ptr[i];
		if (c == '%') {
			if (path.len - i < 3 || !is_hex(path.ptr[i + 1]) ||
				!is_hex(path.ptr[i + 2]))
				return false;
			i += 2;
		} else if (!is_letter(c) && !is_digit(c) &&
			   memchr(marks, c, sizeof marks - 1) == NULL) {
			return false;
		}
	}
	return true;
}

/* RFC 1123 section 2.1 */
static bool is_label(struct str label)
{
	if (label.len == 0 || label.len > LABEL_MAX)
		return false;
	if (label.ptr[0] == '-' || label.ptr[label.len - 1] == '-')
		return false;
	for (size_t i = 0; i < label.len; i++)
		if (!is_letter(label.ptr[i]) && !is_digit(label.ptr[i]) && label.ptr[i] != '-')
			return false;
	return true;
}

/* Its last label begins with a letter, as all top-level domains do: "127.1" and "0x7f.1" are
 * numbers to one parser and names to another. */
static bool is_name(struct str host, bool is_test)
{
	size_t labels = 0;
	struct str label;

	do {
		label = str_cut(host, '.', &host);
		if (!is_label(label))
			return false;
		labels++;
	} while (host.ptr != NULL);
	return is_letter(label.ptr[0]) && (labels > 1 || is_test);
}

static void set_host(struct url *url, struct str host)
{
	for (size_t i = 0; i < host.len; i++) {
		char c = host.ptr[i];
		url->host[i] = c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
	}
	url->host[host.len] = '\0';
}

static struct err parse_host(struct str host, bool is_bracketed, bool is_test, struct url *url)
{
	struct address address;

	if (host.len == 0 || host.len >= URL_HOST_BYTES || memchr(host.ptr, '\0', host.len) != NULL)
		return bad("the host of the URL is malformed");
	set_host(url, host);
	bool is_address = address_parse(url->host, &address);
	if (is_bracketed != (is_address && address.len == 16) ||
		(!is_address && !is_name(host, is_test)))
		return bad("the host of the URL is not a full ASCII domain name or an address");
	if (is_bracketed)
		address_format(&address, url->host);
	return err_ok();
}

/* port.ptr NULL: the scheme's. */
static struct err parse_port(struct str port, bool is_test, struct url *url)
{
	uint64_t number = url->is_tls ? 443 : 80;

	if (port.ptr != NULL && (port.len == 0 || port.len > PORT_DIGITS || port.ptr[0] == '0' ||
					!str_to_u64(port, &number) || number > UINT16_MAX))
		return bad("the port of the URL is malformed");
	if (!is_test && number != 443 && number != 8443)
		return bad("the port of the URL is neither 443 nor 8443");
	url->port = (uint16_t)number;
	return err_ok();
}

static struct err parse_authority(struct str authority, bool is_test, struct url *url)
{
	bool is_bracketed = str_starts(authority, STR("["));
	struct str host, port;

	if (is_bracketed) {
		authority.ptr++;
		authority.len--;
		host = str_cut(authority, ']', &port);
		if (port.ptr == NULL || (port.len > 0 && port.ptr[0] != ':'))
			return bad("the host of the URL is malformed");
		port = port.len == 0 ? (struct str){ NULL, 0 }
				     : (struct str){ port.ptr + 1, port.len - 1 };
	} else {
		host = str_cut(authority, ':', &port);
	}
	TRY(parse_host(host, is_bracketed, is_test, url));
	return parse_port(port, is_test, url);
}

/* The text after its scheme; ptr NULL when that is not one of ours. */
static struct str after_scheme(struct str text, bool is_test, bool *ret_is_tls)
{
	size_t len = 0;

	*ret_is_tls = str_starts(text, STR("https://"));
	if (*ret_is_tls)
		len = sizeof "https://" - 1;
	else if (is_test && str_starts(text, STR("http://")))
		len = sizeof "http://" - 1;
	if (len == 0)
		return (struct str){ NULL, 0 };
	return (struct str){ text.ptr + len, text.len - len };
}

struct err url_parse(struct str text, bool is_test, struct url *ret_url)
{
	struct url url = { .port = 0 };
	size_t len = 0;

	if (text.len > URL_MAX_BYTES)
		return bad("the URL is longer than 2,048 bytes");
	struct str rest = after_scheme(text, is_test, &url.is_tls);
	if (rest.ptr == NULL)
		return bad("the URL does not begin with https://");
	while (len < rest.len && memchr("/?#", rest.ptr[len], 3) == NULL)
		len++;
	struct str authority = { rest.ptr, len };
	url.path = (struct str){ rest.ptr + len, rest.len - len };
	if (len > 0 && memchr(authority.ptr, '@', len) != NULL)
		return bad("the URL has a user or a password");
	if (url.path.len > 0 && memchr(url.path.ptr, '#', url.path.len) != NULL)
		return bad("the URL has a fragment");
	if (!is_path(url.path))
		return bad("the path of the URL has characters that must be percent-encoded");
	TRY(parse_authority(authority, is_test, &url));
	*ret_url = url;
	return err_ok();
}
