#include "base/err.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

struct err_row {
	const char *name;
	int status;
	enum err_class class;
	const char *title;
};

static const struct err_row rows[ERR_CODE_COUNT] = {
#define X(name, code, status, class, title) { code, status, ERR_CLASS_##class, title },
#include "base/errors.def"
#undef X
};

static const struct err_row *err_row(enum err_code code)
{
	assert((size_t)code < ERR_CODE_COUNT);
	return &rows[code];
}

const char *err_code_name(enum err_code code)
{
	return err_row(code)->name;
}

int err_code_status(enum err_code code)
{
	return err_row(code)->status;
}

enum err_class err_code_class(enum err_code code)
{
	return err_row(code)->class;
}

const char *err_code_title(enum err_code code)
{
	return err_row(code)->title;
}

const char *err_kind_name(enum err_kind kind)
{
	static const char *const names[] = { "ok", "retry", "reject", "fatal" };
	return names[kind];
}

const char *err_class_name(enum err_class class)
{
	static const char *const names[] = { "none", "client", "record", "schema", "dependency",
		"provider", "transient", "crash", "job", "bug" };
	return names[class];
}

bool err_code_is_known(const char *name)
{
	for (size_t i = 1; i < ERR_CODE_COUNT; i++)
		if (strcmp(rows[i].name, name) == 0)
			return true;
	return false;
}

bool err_class_is_known(const char *name)
{
	for (int class = ERR_CLASS_NONE + 1; class <= ERR_CLASS_BUG; class ++)
		if (strcmp(err_class_name((enum err_class) class), name) == 0)
			return true;
	return false;
}
