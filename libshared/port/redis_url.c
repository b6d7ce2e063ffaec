#include "port/redis_url.h"

#include "base/encode.h"
#include "base/secret.h"

#include <string.h>

static struct err bad(const char *msg)
{
	return err_fatal(ERR_CODE_BAD_CONFIG, msg);
}

/* Percent-decodes one part; false when it is too long, malformed, or holds a NUL. */
static bool decode(struct str part, char *ret_text)
{
	size_t len = 0;

	for (size_t i = 0; i < part.len; i++) {
		char c = part.ptr[i];
		if (c == '%') {
			if (part.len - i < 3 ||
				!encode_hex_back((struct str){ part.ptr + i + 1, 2 }, &c, 1))
				return false;
			i += 2;
		}
		if (c == '\0' || len + 1 >= REDIS_URL_PART_BYTES)
			return false;
		ret_text[len++] = c;
	}
	ret_text[len] = '\0';
	return true;
}

/* Whether sep occurs; then *head is what comes before its last occurrence and *tail what follows.
 */
static bool cut_last(struct str text, char sep, struct str *head, struct str *tail)
{
	const char *at = text.len == 0 ? NULL : memrchr(text.ptr, sep, text.len);

	if (at == NULL)
		return false;
	size_t len = (size_t)(at - text.ptr);
	*head = (struct str){ text.ptr, len };
	*tail = (struct str){ at + 1, text.len - len - 1 };
	return true;
}

static struct err parse_login(struct str login, struct redis_url *url)
{
	struct str password;
	struct str user = str_cut(login, ':', &password);

	if (password.ptr == NULL)
		return bad("the Redis URL has a user without password");
	if (!decode(user, url->user) || !decode(password, url->password) || password.len == 0)
		return bad("user or password of the Redis URL is malformed");
	return err_ok();
}

/* "[::1]" or "[::1]:6379"; false when it is neither. *port is what follows the colon. */
static bool cut_bracketed(struct str address, struct str *host, struct str *port)
{
	*host = str_cut((struct str){ address.ptr + 1, address.len - 1 }, ']', port);
	if (port->ptr == NULL)
		return false;
	if (port->len == 0) {
		*port = STR("6379");
		return true;
	}
	bool colon = port->ptr[0] == ':';
	*port = (struct str){ port->ptr + 1, port->len - 1 };
	return colon;
}

/* "host" or "host:6379"; false for a bare IPv6 address. */
static bool cut_plain(struct str address, struct str *host, struct str *port)
{
	*host = address;
	*port = STR("6379");
	cut_last(address, ':', host, port);
	return host->len == 0 || memchr(host->ptr, ':', host->len) == NULL;
}

static struct err parse_address(struct str address, struct redis_url *url)
{
	bool bracket = str_starts(address, STR("["));
	struct str host, port;
	uint64_t number;

	if (!(bracket ? cut_bracketed : cut_plain)(address, &host, &port))
		return bad("the address of the Redis URL is malformed");
	if (host.len == 0 || !decode(host, url->host))
		return bad("the host of the Redis URL is malformed");
	if (!str_to_u64(port, &number) || number < 1 || number > UINT16_MAX)
		return bad("the port of the Redis URL is malformed");
	url->port = (uint16_t)number;
	return err_ok();
}

struct err redis_url_parse(const char *text, struct redis_url *ret_url)
{
	struct redis_url url = { .db = 0 };
	struct str rest = str_of(text), login, path;
	uint64_t db = 0;

	url.is_tls = str_starts(rest, STR("rediss://"));
	size_t scheme = url.is_tls ? sizeof "rediss://" - 1 : sizeof "redis://" - 1;
	if (!url.is_tls && !str_starts(rest, STR("redis://")))
		return bad("a Redis URL begins with redis:// or rediss://");
	rest = (struct str){ rest.ptr + scheme, rest.len - scheme };
	/* the password may hold any character but its own '@' and '/' percent-encoded */
	rest = str_cut(rest, '/', &path);
	if (cut_last(rest, '@', &login, &rest))
		TRY(parse_login(login, &url));
	TRY(parse_address(rest, &url));
	if (path.len > 0 && (!str_to_u64(path, &db) || db > INT32_MAX))
		return bad("the database of the Redis URL is not a number");
	url.db = (uint32_t)db;
	*ret_url = url;
	return err_ok();
}

void redis_url_take_password(struct redis_url *url, struct secret *password)
{
	char text[SECRET_BYTES];

	if (password == NULL)
		return;
	size_t len = secret_copy(password, text, NULL);
	if (len < sizeof url->password)
		memcpy(url->password, text, len + 1);
	secret_wipe(text, sizeof text);
}
