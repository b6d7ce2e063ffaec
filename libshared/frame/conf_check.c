#include "frame/conf_check.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret.h"
#include "model/codec.h"

enum {
	SETTINGS_MAX = 256,
	FINDINGS_MAX = 512,
	NAME_MAX_BYTES = 128,
	REPORT_MAX = 1 << 20,
	NEAR = 4, /* so many letters apart it may be a slip */
};

static const char prefix[] = "ESTEIRA_";

/* One setting, or one thing found; their fields are the JSON report's. */
struct setting {
	const char *name;
	const char *value; /* NULL: a secret, or nothing */
	const char *source;
	const char *file, *mode;
	int64_t bytes;
	bool is_secret;
};

struct finding {
	const char *name, *text;
};

struct findings {
	struct finding *items;
	size_t count;
};

struct conf_check {
	struct arena *arena;
	const char *program;
	struct setting *settings;
	size_t count;
	struct findings errors, warnings;
	bool is_full;
};

static const struct codec_field setting_fields[] = {
	CODEC_FIELD(struct setting, name, CODEC_TEXT, CODEC_PLAIN, true, NAME_MAX_BYTES),
	CODEC_FIELD(struct setting, value, CODEC_TEXT, CODEC_PLAIN, false, REPORT_MAX),
	CODEC_FIELD(struct setting, source, CODEC_TEXT, CODEC_PLAIN, true, NAME_MAX_BYTES),
	CODEC_FIELD(struct setting, file, CODEC_TEXT, CODEC_PLAIN, false, PATH_MAX),
	CODEC_FIELD(struct setting, mode, CODEC_TEXT, CODEC_PLAIN, false, NAME_MAX_BYTES),
	CODEC_FIELD(struct setting, bytes, CODEC_INT, CODEC_PLAIN, false, 0),
	{ "secret", CODEC_BOOL, CODEC_PLAIN, true, offsetof(struct setting, is_secret), 0, NULL },
	CODEC_END,
};
static const struct codec_type setting_type = { "setting", sizeof(struct setting), setting_fields };

static const struct codec_field finding_fields[] = {
	CODEC_FIELD(struct finding, name, CODEC_TEXT, CODEC_PLAIN, false, NAME_MAX_BYTES),
	CODEC_FIELD(struct finding, text, CODEC_TEXT, CODEC_PLAIN, true, REPORT_MAX),
	CODEC_END,
};
static const struct codec_type finding_type = { "finding", sizeof(struct finding), finding_fields };

struct report {
	const char *program;
	struct codec_list settings, errors, warnings;
};

static const struct codec_field report_fields[] = {
	CODEC_FIELD(struct report, program, CODEC_TEXT, CODEC_PLAIN, true, NAME_MAX_BYTES),
	CODEC_SUB(struct report, settings, CODEC_LIST, true, SETTINGS_MAX, &setting_type),
	CODEC_SUB(struct report, errors, CODEC_LIST, true, FINDINGS_MAX, &finding_type),
	CODEC_SUB(struct report, warnings, CODEC_LIST, true, FINDINGS_MAX, &finding_type),
	CODEC_END,
};
static const struct codec_type report_type = { "report", sizeof(struct report), report_fields };

struct err conf_check_new(struct arena *arena, const char *program, struct conf_check **ret_check)
{
	struct conf_check *check = arena_alloc(arena, sizeof *check);

	if (check == NULL)
		return arena_overflow();
	check->arena = arena;
	check->program = program;
	check->settings = arena_alloc(arena, SETTINGS_MAX * sizeof *check->settings);
	check->errors.items = arena_alloc(arena, FINDINGS_MAX * sizeof *check->errors.items);
	check->warnings.items = arena_alloc(arena, FINDINGS_MAX * sizeof *check->warnings.items);
	if (check->settings == NULL || check->errors.items == NULL || check->warnings.items == NULL)
		return arena_overflow();
	*ret_check = check;
	return err_ok();
}

/* text lives as long as the arena. */
static void add(
	struct conf_check *check, struct findings *findings, const char *name, const char *text)
{
	if (findings->count == FINDINGS_MAX || text == NULL)
		check->is_full = true;
	else
		findings->items[findings->count++] = (struct finding){ name, text };
}

/* --- one setting --- */

/* Wires in the clear, by how a value begins ("": it is not set). */
static const struct {
	const char *name, *begins, *text;
} plain_wires[] = {
	{ "ESTEIRA_KAFKA_SECURITY", "plaintext", "events go to the brokers in the clear" },
	{ "ESTEIRA_REDIS_URL", "redis://", "results and their password go to Redis in the clear" },
	{ "ESTEIRA_S3_ENDPOINT", "http://",
		"signed paths go to the storage in the clear (documents are encrypted)" },
	{ "ESTEIRA_SEAL_TRANSIT_URL", "http://",
		"tenants' keys go to the key service in the clear" },
	{ "ESTEIRA_HTTP_TLS_CERT_FILE", "",
		"the public port speaks plain HTTP: only behind something that ends TLS" },
};

static void warn_of_wire(struct conf_check *check, const char *name, const char *value)
{
	for (size_t i = 0; i < sizeof plain_wires / sizeof *plain_wires; i++) {
		struct str begins = str_of(plain_wires[i].begins);
		bool is_so = begins.len == 0 ? *value == '\0' : str_starts(str_of(value), begins);
		if (strcmp(plain_wires[i].name, name) == 0 && is_so)
			add(check, &check->warnings, name, plain_wires[i].text);
	}
	if (strncmp(value, "postgres", 8) == 0 && strstr(value, "sslmode=verify-full") == NULL)
		add(check, &check->warnings, name,
			"Postgres is not asked to prove its name: sslmode=verify-full");
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* Of a setting whose value is the name of a file. What is public in it may be read by anybody. */
static bool is_public_file(const char *name)
{
	return ends_with(name, "_CA_FILE") || ends_with(name, "_CERT_FILE");
}

/* What a file is like, into setting; an unreadable one is an error. */
static void look_at(struct conf_check *check, struct setting *setting, const char *path)
{
	struct stat now;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	setting->file = path;
	if (fd < 0 || fstat(fd, &now) != 0 || !S_ISREG(now.st_mode)) {
		add(check, &check->errors, setting->name,
			arena_printf(check->arena, "%s: %s", path,
				fd < 0 ? strerror(errno) : "not a regular file"));
		if (fd >= 0)
			close(fd);
		return;
	}
	close(fd);
	setting->bytes = now.st_size;
	setting->mode = arena_printf(check->arena, "%04o", (unsigned)(now.st_mode & 07777));
	if ((now.st_mode & 0007) != 0 && !is_public_file(setting->name))
		add(check, &check->warnings, setting->name,
			arena_printf(check->arena, "%s: everybody on this machine has rights on it",
				path));
}

static void show_secret(struct conf_check *check, struct setting *setting, const char *path)
{
	const char *text = getenv(setting->name);

	if (path != NULL) {
		setting->source = "file";
		look_at(check, setting, path);
	} else if (text != NULL && *text != '\0') {
		setting->source = "environment";
		setting->bytes = (int64_t)strlen(text);
	}
}

/* A URL as it may be shown; a login in one is a mistake, because it is shown elsewhere. */
static const char *without_login(struct conf_check *check, const char *name, const char *value)
{
	const char *host = strstr(value, "://");

	if (host == NULL)
		return value;
	host += strlen("://");
	const char *at = memrchr(host, '@', strcspn(host, "/?#"));
	if (at == NULL)
		return value;
	add(check, &check->errors, name, "a user or password in a value that is no secret");
	return arena_printf(check->arena, "%.*s***%s", (int)(host - value), value, at);
}

static void show_plain(struct conf_check *check, const struct conf_item *item,
	struct setting *setting, const char *value)
{
	const char *text = getenv(item->name);

	if (text != NULL && *text != '\0')
		setting->source = "environment";
	setting->value = without_login(check, item->name, value);
	if (*value != '\0' && item->kind == CONF_TEXT && ends_with(item->name, "_FILE"))
		look_at(check, setting, value);
	if (*value != '\0' && ends_with(item->name, "_PATH") && access(value, R_OK | X_OK) != 0)
		add(check, &check->errors, item->name,
			arena_printf(check->arena, "%s: %s", value, strerror(errno)));
}

/* The value as text, wherever it came from; of a secret only for a look at how it begins. */
union value {
	const char *text;
	int64_t number;
	struct secret *secret;
};

static void judge_wire(
	struct conf_check *check, const struct conf_item *item, const union value *value)
{
	char text[SECRET_BYTES] = "";

	if (item->kind == CONF_LIVE && value->secret != NULL)
		secret_copy(value->secret, text, NULL);
	if (item->kind == CONF_LIVE)
		warn_of_wire(check, item->name, text);
	else if (item->kind != CONF_INT)
		warn_of_wire(check, item->name, value->text);
	secret_wipe(text, sizeof text);
}

static struct err add_setting(struct conf_check *check, const struct conf_item *item)
{
	struct conf_item alone[] = { *item, { .name = NULL } };
	struct setting *setting = &check->settings[check->count];
	const char *file_name = arena_printf(check->arena, "%s_FILE", item->name);
	union value value = { .text = "" };

	if (check->count == SETTINGS_MAX || file_name == NULL)
		return arena_overflow();
	check->count++;
	*setting = (struct setting){ .name = item->name,
		.source = item->initial == NULL || *item->initial == '\0' ? "not set" : "default",
		.bytes = CODEC_NO_INT,
		.is_secret = conf_is_secret(item) };
	alone[0].offset = 0;
	struct err e = conf_read(alone, check->arena, &value);
	if (setting->is_secret)
		show_secret(check, setting, getenv(file_name));
	if (e.kind != ERR_OK)
		return conf_check_error(check, e);
	if (item->kind == CONF_INT)
		value.text = arena_printf(check->arena, "%lld", (long long)value.number);
	if (!setting->is_secret && value.text != NULL)
		show_plain(check, item, setting, value.text);
	judge_wire(check, item, &value);
	return err_ok();
}

struct err conf_check_table(struct conf_check *check, const struct conf_item *items)
{
	for (; items->name != NULL; items++)
		TRY(add_setting(check, items));
	return check->is_full ? arena_overflow() : err_ok();
}

struct err conf_check_error(struct conf_check *check, struct err e)
{
	if (e.kind != ERR_OK)
		add(check, &check->errors, NULL, arena_strdup(check->arena, str_of(e.msg)));
	return check->is_full ? arena_overflow() : err_ok();
}

/* --- strangers --- */

static unsigned least(unsigned a, unsigned b, unsigned c)
{
	unsigned ab = a < b ? a : b;

	return ab < c ? ab : c;
}

unsigned conf_check_distance(const char *a, const char *b)
{
	unsigned row[NAME_MAX_BYTES + 1];
	size_t width = strlen(b);

	if (width > NAME_MAX_BYTES)
		return UINT_MAX;
	for (size_t i = 0; i <= width; i++)
		row[i] = (unsigned)i;
	for (size_t line = 1; *a != '\0'; a++, line++) {
		unsigned corner = row[0];
		row[0] = (unsigned)line;
		for (size_t i = 1; i <= width; i++) {
			unsigned above = row[i];
			row[i] = least(above + 1, row[i - 1] + 1, corner + (*a != b[i - 1]));
			corner = above;
		}
	}
	return row[width];
}

static bool is_read(const struct conf_check *check, struct str name)
{
	for (size_t i = 0; i < check->count; i++) {
		struct str own = str_of(check->settings[i].name);
		struct str rest = { name.ptr + own.len, name.len - own.len };
		if (str_eq(name, own) || (check->settings[i].is_secret && str_starts(name, own) &&
						 str_eq(rest, STR("_FILE"))))
			return true;
	}
	/* of the chaos suite, in builds for it */
	return str_eq(name, STR("ESTEIRA_FAILPOINT"));
}

static void warn_of_stranger(struct conf_check *check, const char *name)
{
	const char *nearest = NULL;
	unsigned best = NEAR + 1;

	for (size_t i = 0; i < check->count; i++) {
		unsigned distance = conf_check_distance(name, check->settings[i].name);
		if (distance < best) {
			best = distance;
			nearest = check->settings[i].name;
		}
	}
	add(check, &check->warnings, name,
		nearest == NULL ? arena_printf(check->arena, "%s does not read it", check->program)
				: arena_printf(check->arena, "%s does not read it; is %s meant?",
					  check->program, nearest));
}

struct err conf_check_strangers(struct conf_check *check)
{
	for (char **entry = environ; *entry != NULL; entry++) {
		struct str rest, name = str_cut(str_of(*entry), '=', &rest);
		if (!str_starts(name, str_of(prefix)) || is_read(check, name))
			continue;
		char *copy = arena_strdup(check->arena, name);
		if (copy == NULL)
			return arena_overflow();
		warn_of_stranger(check, copy);
	}
	return check->is_full ? arena_overflow() : err_ok();
}

size_t conf_check_errors(const struct conf_check *check)
{
	return check->errors.count;
}

/* --- the report --- */

static struct err print_json(const struct conf_check *check, FILE *out)
{
	struct buf text SCOPED(buf_done) = BUF(REPORT_MAX);
	const struct report report = { .program = check->program,
		.settings = { check->settings, check->count },
		.errors = { check->errors.items, check->errors.count },
		.warnings = { check->warnings.items, check->warnings.count } };

	TRY(codec_write(&report_type, &report, CODEC_TO_CLIENT, &text));
	fprintf(out, "%s\n", text.ptr);
	return err_ok();
}

static void print_setting(const struct setting *setting, int width, FILE *out)
{
	fprintf(out, "%-*s  ", width, setting->name);
	if (setting->is_secret && setting->bytes != CODEC_NO_INT && setting->mode != NULL)
		fprintf(out, "set from file, %lld bytes, mode %s", (long long)setting->bytes,
			setting->mode);
	else if (setting->is_secret && setting->bytes != CODEC_NO_INT)
		fprintf(out, "set from environment, %lld bytes", (long long)setting->bytes);
	else if (setting->value != NULL && *setting->value != '\0')
		fprintf(out, "%s (%s)", setting->value, setting->source);
	else
		fputs(setting->source, out);
	fputc('\n', out);
}

static void print_findings(const char *kind, const struct findings *findings, FILE *out)
{
	for (size_t i = 0; i < findings->count; i++) {
		const struct finding *finding = &findings->items[i];
		fprintf(out, "%s: %s%s%s\n", kind, finding->name == NULL ? "" : finding->name,
			finding->name == NULL ? "" : ": ", finding->text);
	}
}

struct err conf_check_print(const struct conf_check *check, bool json, FILE *out)
{
	int width = 0;

	if (json)
		return print_json(check, out);
	for (size_t i = 0; i < check->count; i++) {
		int len = (int)strlen(check->settings[i].name);
		width = len > width ? len : width;
	}
	fprintf(out, "%s\n", check->program);
	for (size_t i = 0; i < check->count; i++)
		print_setting(&check->settings[i], width, out);
	print_findings("error", &check->errors, out);
	print_findings("warning", &check->warnings, out);
	fprintf(out, "%zu settings, %zu errors, %zu warnings\n", check->count, check->errors.count,
		check->warnings.count);
	return err_ok();
}
