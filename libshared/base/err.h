/*
 * The one error type of the tree. It does not say what failed but what the caller does next; the
 * code names the reason for people and machines (base/errors.def), the message adds one static or
 * arena-held sentence without personal data or document content.
 */
#ifndef ESTEIRA_BASE_ERR_H
#define ESTEIRA_BASE_ERR_H

#include <stdbool.h>

/* What the caller does next. */
enum err_kind {
	ERR_OK,	    /* go on */
	ERR_RETRY,  /* the same call may succeed later */
	ERR_REJECT, /* never: dead letter for a record, 4xx for a request */
	ERR_FATAL,  /* this process is broken: exit, let the supervisor restart it */
};

/* Who has to act, the class column of errors.def. */
enum err_class {
	ERR_CLASS_NONE,
	ERR_CLASS_CLIENT,     /* the caller of the API */
	ERR_CLASS_RECORD,     /* whoever produced the record */
	ERR_CLASS_SCHEMA,     /* us, or its producer: a newer handler may be able to read it */
	ERR_CLASS_DEPENDENCY, /* our own Postgres, Kafka, Redis, S3: wait, it is no attempt */
	ERR_CLASS_PROVIDER,   /* somebody else's server is away: wait, it is no attempt */
	ERR_CLASS_TRANSIENT,  /* nobody: trying again helps */
	ERR_CLASS_CRASH,      /* us: the record ends the process that handles it */
	ERR_CLASS_JOB,	      /* outcome of a document, told to its owner */
	ERR_CLASS_BUG,	      /* us */
};

enum err_code {
#define X(name, code, status, class, title) ERR_CODE_##name,
#include "base/errors.def"
#undef X
	ERR_CODE_COUNT
};

/* msg lives as long as the arena of the call that returned it, or for ever. */
struct err {
	enum err_kind kind;
	enum err_code code;
	const char *msg;
};

#define ERR_MUST_USE __attribute__((warn_unused_result))

/* Everything went well. */
static inline struct err err_ok(void)
{
	return (struct err){ ERR_OK, ERR_CODE_NONE, "" };
}

/* The three failures. msg: a static or arena-held sentence. */
static inline struct err err_retry(enum err_code code, const char *msg)
{
	return (struct err){ ERR_RETRY, code, msg };
}

static inline struct err err_reject(enum err_code code, const char *msg)
{
	return (struct err){ ERR_REJECT, code, msg };
}

static inline struct err err_fatal(enum err_code code, const char *msg)
{
	return (struct err){ ERR_FATAL, code, msg };
}

static inline bool err_is(struct err e, enum err_code code)
{
	return e.kind != ERR_OK && e.code == code;
}

/* The row of errors.def: stable code ("not-a-pdf"), HTTP status (0 = never sent), class, English
 * title. Static strings, any thread. */
const char *err_code_name(enum err_code code);
int err_code_status(enum err_code code);
enum err_class err_code_class(enum err_code code);
const char *err_code_title(enum err_code code);

/* "ok", "retry", "reject", "fatal" and "client", "record", ...: for logs, metrics and dead letters.
 */
const char *err_kind_name(enum err_kind kind);
const char *err_class_name(enum err_class class);

/* Is it the name of a code, of a class? Not "none". */
bool err_code_is_known(const char *name);
bool err_class_is_known(const char *name);

/* The only control-flow macro of the tree: return the failure to the caller. */
#define TRY(expr)                                                                                  \
	do {                                                                                       \
		struct err try_err = (expr);                                                       \
		if (try_err.kind != ERR_OK)                                                        \
			return try_err;                                                            \
	} while (0)

/* The only cleanup attribute: fn(&variable) runs when the variable leaves its scope. */
#define SCOPED(fn) __attribute__((cleanup(fn)))

#endif
