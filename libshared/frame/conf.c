#include "frame/conf.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/secret.h"

enum { SECRET_FILE_MAX = 64 * 1024 };

static struct err bad(struct arena *arena, const char *name, const char *why)
{
	const char *msg = arena_printf(arena, "%s: %s", name, why);

	return err_fatal(ERR_CODE_BAD_CONFIG, msg == NULL ? why : msg);
}

/* The content of the file without its final newline. */
static struct err read_secret_file(
	const struct conf_item *item, const char *path, struct arena *arena, const char **ret_text)
{
	char *text = arena_alloc(arena, SECRET_FILE_MAX + 1);
	FILE *file = fopen(path, "re");

	if (file == NULL)
		return bad(arena, item->name, "the file of NAME_FILE cannot be read");
	size_t len = text == NULL ? 0 : fread(text, 1, SECRET_FILE_MAX, file);
	fclose(file);
	if (text == NULL)
		return arena_overflow();
	while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
		text[--len] = '\0';
	if (len == 0 || strlen(text) != len)
		return bad(arena, item->name, "the file of NAME_FILE is empty or holds a NUL");
	*ret_text = text;
	return err_ok();
}

/* What the environment says; of *ret_text and *ret_path one is NULL. */
static struct err find(const struct conf_item *item, struct arena *arena, const char **ret_text,
	const char **ret_path)
{
	const char *text = getenv(item->name);
	const char *name = arena_printf(arena, "%s_FILE", item->name);

	if (name == NULL)
		return arena_overflow();
	const char *path = conf_is_secret(item) ? getenv(name) : NULL;
	if (text != NULL && path != NULL)
		return bad(arena, item->name, "set both directly and by _FILE");
	if (path == NULL && (text == NULL || *text == '\0'))
		text = item->initial;
	if (path == NULL && text == NULL)
		return bad(arena, item->name, "must be set");
	*ret_text = text;
	*ret_path = path;
	return err_ok();
}

static void free_secret(void *arg)
{
	secret_free(arg);
}

static struct err read_live(const struct conf_item *item, struct arena *arena, void *at)
{
	struct secret_conf conf = { 0 };
	struct secret *secret = NULL;

	TRY(find(item, arena, &conf.text, &conf.path));
	if (conf.path != NULL || *conf.text != '\0') {
		struct err e = secret_open(&conf, &secret);
		if (e.kind != ERR_OK)
			return bad(arena, item->name, e.msg);
		if (!arena_defer(arena, free_secret, secret)) {
			secret_free(secret);
			return arena_overflow();
		}
	}
	memcpy(at, &secret, sizeof secret);
	return err_ok();
}

static struct err raw_value(
	const struct conf_item *item, struct arena *arena, const char **ret_text)
{
	const char *text, *path;

	TRY(find(item, arena, &text, &path));
	if (path != NULL)
		return read_secret_file(item, path, arena, ret_text);
	text = arena_strdup(arena, str_of(text));
	*ret_text = text;
	return text == NULL ? arena_overflow() : err_ok();
}

static bool is_choice(const char *choices, struct str word)
{
	struct str rest = str_of(choices);

	while (rest.len > 0)
		if (str_eq(str_cut(rest, '|', &rest), word))
			return true;
	return false;
}

static struct err read_item(const struct conf_item *item, struct arena *arena, void *base)
{
	const char *text = NULL;
	uint64_t number = 0;
	void *at = (char *)base + item->offset;

	if (item->kind == CONF_LIVE)
		return read_live(item, arena, at);
	TRY(raw_value(item, arena, &text));
	if (item->kind == CONF_CHOICE && !is_choice(item->choices, str_of(text)))
		return bad(arena, item->name, "not one of its choices");
	if (item->kind != CONF_INT) {
		memcpy(at, &text, sizeof text);
		return err_ok();
	}
	int64_t value;
	if (!str_to_u64(str_of(text), &number) || number > INT64_MAX)
		return bad(arena, item->name, "not a whole number");
	value = (int64_t)number;
	if (value < item->min || value > item->max)
		return bad(arena, item->name, "outside its limits");
	memcpy(at, &value, sizeof value);
	return err_ok();
}

struct err conf_read(const struct conf_item *items, struct arena *arena, void *base)
{
	for (; items->name != NULL; items++)
		TRY(read_item(items, arena, base));
	return err_ok();
}

void conf_forget(const struct conf_item *items)
{
	for (; items->name != NULL; items++) {
		char *text = conf_is_secret(items) ? getenv(items->name) : NULL;
		if (text == NULL)
			continue;
		/* the kernel shows these very bytes */
		secret_wipe(text, strlen(text));
		unsetenv(items->name);
	}
}

static void log_news(const struct conf_item *item, struct secret *secret)
{
	struct secret_news news;

	if (secret == NULL || !secret_take_news(secret, &news))
		return;
	if (news.changed)
		LOG(LOG_INFO, "secret.renewed", LOG_TEXT("setting", item->name),
			LOG_INT("bytes", news.len), LOG_INT("generation", news.generation));
	if (news.fault != NULL)
		LOG(LOG_WARN, "secret.kept", LOG_TEXT("setting", item->name),
			LOG_TEXT("file", news.fault), LOG_INT("generation", news.generation));
}

void conf_log_news(const struct conf_item *items, const void *base)
{
	for (; items->name != NULL; items++) {
		struct secret *secret;
		memcpy(&secret, (const char *)base + items->offset, sizeof secret);
		if (items->kind == CONF_LIVE)
			log_news(items, secret);
	}
}

static const char *shown_default(const struct conf_item *item)
{
	if (item->initial == NULL)
		return "required";
	return *item->initial == '\0' ? "none" : item->initial;
}

void conf_help(const struct conf_item *items, FILE *out)
{
	for (; items->name != NULL; items++)
		fprintf(out, "  %s%s (%s)\n      %s\n", items->name,
			conf_is_secret(items) ? "[_FILE]" : "", shown_default(items), items->help);
}

static void print_range(const struct conf_item *item, FILE *out)
{
	if (item->kind == CONF_INT)
		fprintf(out, " %lld to %lld.", (long long)item->min, (long long)item->max);
	for (struct str rest = str_of(item->choices); rest.len > 0;) {
		struct str word = str_cut(rest, '|', &rest);
		fprintf(out, " `%.*s`%s", (int)word.len, word.ptr, rest.len > 0 ? " or" : ".");
	}
}

static const char *source_note(const struct conf_item *item)
{
	if (item->kind == CONF_LIVE)
		return " or `_FILE`, reread";
	return item->kind == CONF_SECRET ? " or `_FILE`" : "";
}

void conf_markdown(const struct conf_item *items, FILE *out)
{
	for (; items->name != NULL; items++) {
		fprintf(out, "| `%s`%s | `%s` | %s", items->name, source_note(items),
			shown_default(items), items->help);
		print_range(items, out);
		fprintf(out, " |\n");
	}
}

void conf_print(const struct conf_item *items, const void *base, FILE *out)
{
	for (; items->name != NULL; items++) {
		const char *at = (const char *)base + items->offset;
		int64_t number;
		const char *text;

		memcpy(&number, at, sizeof number);
		memcpy(&text, at, sizeof text);
		if (items->kind == CONF_INT)
			fprintf(out, "%s=%lld\n", items->name, (long long)number);
		else if (conf_is_secret(items))
			fprintf(out, "%s=%s\n", items->name,
				text == NULL || *text == '\0' ? "" : "(redacted)");
		else
			fprintf(out, "%s=%s\n", items->name, text);
	}
}
