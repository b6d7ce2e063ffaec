/*
 * Lines as the environment of a service: each is the value of one setting, "@" in front makes it
 * the content of a secret's file. A table that is taken holds what its limits allow, and no secret
 * is printed. Beside it, the address of Redis.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "frame/conf.h"
#include "port/redis_url.h"

enum { ARENA_BYTES = 1 << 20, VALUE_BYTES = 4096, PRINTED_BYTES = 64 << 10 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct settings {
	const char *text, *secret, *choice;
	int64_t number;
};

static const struct conf_item items[] = {
	{ .name = "ESTEIRA_FUZZ_TEXT",
		.kind = CONF_TEXT,
		.offset = offsetof(struct settings, text),
		.initial = "" },
	{ .name = "ESTEIRA_FUZZ_SECRET",
		.kind = CONF_SECRET,
		.offset = offsetof(struct settings, secret) },
	{ .name = "ESTEIRA_FUZZ_NUMBER",
		.kind = CONF_INT,
		.offset = offsetof(struct settings, number),
		.initial = "5",
		.min = 3,
		.max = 90000 },
	{ .name = "ESTEIRA_FUZZ_CHOICE",
		.kind = CONF_CHOICE,
		.offset = offsetof(struct settings, choice),
		.initial = "require",
		.choices = "require|best-effort" },
	{ 0 },
};
enum { ITEMS = sizeof items / sizeof *items - 1, SECRET = 1 };

static void must(bool good)
{
	if (!good)
		abort();
}

/* The descriptor is open until the input is done with. */
static int set_file(struct str content)
{
	char path[64];
	int fd = memfd_create("secret", 0);

	must(fd >= 0 && write(fd, content.ptr, content.len) == (ssize_t)content.len);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	setenv("ESTEIRA_FUZZ_SECRET_FILE", path, 1);
	return fd;
}

static void set(size_t item, struct str line)
{
	char value[VALUE_BYTES];

	if (line.len == 0 || line.len >= sizeof value)
		return;
	memcpy(value, line.ptr, line.len);
	value[line.len] = '\0';
	setenv(items[item].name, value, 1);
	struct redis_url url;
	if (redis_url_parse(value, &url).kind == ERR_OK)
		must(url.host[0] != '\0' && strlen(url.password) < sizeof url.password);
}

static void check(const struct settings *settings)
{
	char printed[PRINTED_BYTES];
	FILE *out = fmemopen(printed, sizeof printed, "w");

	must(settings->number >= 3 && settings->number <= 90000);
	must(!strcmp(settings->choice, "require") || !strcmp(settings->choice, "best-effort"));
	must(settings->secret[0] != '\0' && out != NULL);
	conf_print(items, settings, out);
	fclose(out);
	must(strstr(printed, "\nESTEIRA_FUZZ_SECRET=(redacted)\n") != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = { (const char *)data, size };
	struct arena *arena = arena_new(ARENA_BYTES);
	struct settings settings;
	int fd = -1;

	must(arena != NULL);
	unsetenv("ESTEIRA_FUZZ_SECRET_FILE");
	for (size_t i = 0; i < ITEMS; i++) {
		unsetenv(items[i].name);
		const struct str line = str_cut(rest, '\n', &rest);
		if (i == SECRET && str_starts(line, STR("@")))
			fd = set_file((struct str){ line.ptr + 1, line.len - 1 });
		else
			set(i, line);
	}
	if (conf_read(items, arena, &settings).kind == ERR_OK)
		check(&settings);
	if (fd >= 0)
		close(fd);
	arena_free(arena);
	return 0;
}
