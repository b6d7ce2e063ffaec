#include "port/redis_wire.h"

#include <hiredis/hiredis.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Room beside one value of the full size: its own node, line ends, the bytes of a next reply. */
enum { SLACK_BYTES = 128 * 1024 };

/* hiredis 0.14 stops at 7, 1.x never. */
enum { DEPTH_MAX = 7 };

struct redis_wire {
	redisReader *reader;
	struct arena *arena; /* of the reply under way or last given out */
	size_t max_bytes;
	bool given; /* the arena holds a reply that was given out */
};

#if HIREDIS_MAJOR >= 1
typedef size_t hiredis_count;
#else
typedef int hiredis_count;
#endif

/* The node a task fills: an item of its parent, or the root. NULL when the ceiling is reached. */
static struct redis_reply *node_of(const redisReadTask *task)
{
	struct redis_wire *wire = task->privdata;

	if (task->parent == NULL)
		return arena_alloc(wire->arena, sizeof(struct redis_reply));
	struct redis_reply *parent = task->parent->obj;
	return &parent->items[task->idx];
}

static void *make_string(const redisReadTask *task, char *text, size_t len)
{
	struct redis_wire *wire = task->privdata;
	struct redis_reply *node = node_of(task);
	bool known = task->type == REDIS_REPLY_STRING || task->type == REDIS_REPLY_STATUS ||
		     task->type == REDIS_REPLY_ERROR;

	if (node == NULL || !known)
		return NULL;
	char *copy = arena_strdup(wire->arena, (struct str){ text, len });
	if (copy == NULL)
		return NULL;
	node->kind = task->type == REDIS_REPLY_ERROR ? REDIS_ERROR : REDIS_TEXT;
	node->text = (struct str){ copy, len };
	return node;
}

static bool is_too_deep(const redisReadTask *task)
{
	int depth = 1;

	for (; task->parent != NULL; task = task->parent)
		depth++;
	return depth > DEPTH_MAX;
}

static void *make_array(const redisReadTask *task, hiredis_count count)
{
	struct redis_wire *wire = task->privdata;
	struct redis_reply *node = node_of(task);
	size_t len = (size_t)count;

	if (task->type != REDIS_REPLY_ARRAY || is_too_deep(task))
		return NULL;
	if (node == NULL || len > wire->max_bytes / sizeof *node)
		return NULL;
	if (len > 0) {
		node->items = arena_alloc(wire->arena, len * sizeof *node);
		if (node->items == NULL)
			return NULL;
	}
	node->kind = REDIS_ARRAY;
	node->count = len;
	return node;
}

static void *make_integer(const redisReadTask *task, long long number)
{
	struct redis_reply *node = node_of(task);

	if (node == NULL)
		return NULL;
	node->kind = REDIS_INT;
	node->number = number;
	return node;
}

static void *make_nil(const redisReadTask *task)
{
	return node_of(task); /* zeroed memory is REDIS_NIL */
}

static void forget(void *node)
{
	(void)node; /* the arena's */
}

#if HIREDIS_MAJOR >= 1
/* RESP3 was not asked for: NULL ends the connection. */
static void *make_double(const redisReadTask *task, double number, char *text, size_t len)
{
	(void)task, (void)number, (void)text, (void)len;
	return NULL;
}

static void *make_bool(const redisReadTask *task, int value)
{
	(void)task, (void)value;
	return NULL;
}
#endif

/* hiredis 0.14 wants it writable and never writes. */
static redisReplyObjectFunctions *makers(void)
{
	static const redisReplyObjectFunctions functions = {
		.createString = make_string,
		.createArray = make_array,
		.createInteger = make_integer,
		.createNil = make_nil,
		.freeObject = forget,
#if HIREDIS_MAJOR >= 1
		.createDouble = make_double,
		.createBool = make_bool,
#endif
	};
	return (redisReplyObjectFunctions *)(uintptr_t)&functions;
}

struct redis_wire *redis_wire_new(size_t reply_max_bytes)
{
	struct redis_wire *wire = calloc(1, sizeof *wire);

	if (wire == NULL)
		return NULL;
	wire->max_bytes = reply_max_bytes + SLACK_BYTES;
	wire->arena = arena_new(wire->max_bytes);
	wire->reader = redisReaderCreateWithFunctions(makers());
	if (wire->arena == NULL || wire->reader == NULL) {
		redis_wire_free(wire);
		return NULL;
	}
	wire->reader->privdata = wire;
	return wire;
}

void redis_wire_free(struct redis_wire *wire)
{
	if (wire == NULL)
		return;
	if (wire->reader != NULL)
		redisReaderFree(wire->reader);
	arena_free(wire->arena);
	free(wire);
}

bool redis_wire_feed(struct redis_wire *wire, struct str bytes)
{
	size_t held = wire->reader->len - wire->reader->pos;

	if (bytes.len > wire->max_bytes || held > wire->max_bytes - bytes.len)
		return false;
	return redisReaderFeed(wire->reader, bytes.ptr, bytes.len) == REDIS_OK;
}

bool redis_wire_next(struct redis_wire *wire, const struct redis_reply **ret_reply)
{
	void *reply = NULL;

	if (wire->given)
		arena_reset(wire->arena);
	wire->given = false;
	if (redisReaderGetReply(wire->reader, &reply) != REDIS_OK)
		return false;
	wire->given = reply != NULL;
	*ret_reply = reply;
	return true;
}

struct err redis_wire_format(const struct redis_command *command, char **ret_bytes, size_t *ret_len)
{
	const char **ptrs = calloc(command->argc, sizeof *ptrs);
	size_t *lens = calloc(command->argc, sizeof *lens);
	char *bytes = NULL;
	long long len = -1;

	if (ptrs != NULL && lens != NULL && command->argc <= INT_MAX) {
		for (size_t i = 0; i < command->argc; i++) {
			ptrs[i] = command->argv[i].ptr == NULL ? "" : command->argv[i].ptr;
			lens[i] = command->argv[i].len;
		}
		len = redisFormatCommandArgv(&bytes, (int)command->argc, ptrs, lens);
	}
	free(ptrs);
	free(lens);
	if (len < 0)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for a Redis command");
	*ret_bytes = bytes;
	*ret_len = (size_t)len;
	return err_ok();
}

/* Fills *to, whose memory is there. Nesting is at most DEPTH_MAX. */
static bool copy_into(struct arena *arena, const struct redis_reply *from, struct redis_reply *to)
{
	*to = *from;
	to->text.ptr = from->text.ptr == NULL ? NULL : arena_strdup(arena, from->text);
	if (from->text.ptr != NULL && to->text.ptr == NULL)
		return false;
	if (from->count == 0)
		return true;
	to->items = arena_alloc(arena, from->count * sizeof *to->items);
	if (to->items == NULL)
		return false;
	for (size_t i = 0; i < from->count; i++)
		if (!copy_into(arena, &from->items[i], &to->items[i]))
			return false;
	return true;
}

struct redis_reply *redis_wire_copy(struct arena *arena, const struct redis_reply *reply)
{
	struct redis_reply *copy = arena_alloc(arena, sizeof *copy);

	return copy != NULL && copy_into(arena, reply, copy) ? copy : NULL;
}
