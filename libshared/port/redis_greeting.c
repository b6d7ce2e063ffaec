#include "port/redis_greeting.h"

#include <stdio.h>

#include "port/redis_wire.h"

enum { ARGS = 3, TEXT_BYTES = 16 };

static bool is_needed(const struct redis_url *url, enum redis_greeting at)
{
	if (at == REDIS_GREETING_AUTH)
		return url->password[0] != '\0';
	return at != REDIS_GREETING_SELECT || url->db != 0;
}

enum redis_greeting redis_greeting_from(const struct redis_url *url, enum redis_greeting at)
{
	while (at < REDIS_GREETING_END && !is_needed(url, at))
		at++;
	return at;
}

/* The words of a greeting, into ret_argv; they point into url, name and text. */
static size_t words_of(const struct redis_url *url, const char *name, enum redis_greeting at,
	char *text, struct str *ret_argv)
{
	size_t argc = 0;

	switch (at) {
	case REDIS_GREETING_AUTH:
		ret_argv[argc++] = STR("AUTH");
		if (url->user[0] != '\0')
			ret_argv[argc++] = str_of(url->user);
		ret_argv[argc++] = str_of(url->password);
		break;
	case REDIS_GREETING_SELECT:
		snprintf(text, TEXT_BYTES, "%u", (unsigned)url->db);
		ret_argv[argc++] = STR("SELECT");
		ret_argv[argc++] = str_of(text);
		break;
	case REDIS_GREETING_NAME:
		ret_argv[argc++] = STR("CLIENT");
		ret_argv[argc++] = STR("SETNAME");
		ret_argv[argc++] = str_of(name);
		break;
	default:
		ret_argv[argc++] = STR("CLIENT");
		ret_argv[argc++] = STR("ID");
		break;
	}
	return argc;
}

struct err redis_greeting_format(const struct redis_url *url, const char *name,
	enum redis_greeting at, char **ret_bytes, size_t *ret_len)
{
	char text[TEXT_BYTES];
	struct str argv[ARGS];
	size_t argc = words_of(url, name, at, text, argv);
	const struct redis_command command = { argv, argc, 1 };

	return redis_wire_format(&command, ret_bytes, ret_len);
}
