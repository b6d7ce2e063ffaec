/* Any bytes as a payload: what is read can be written, and reading that again gives the same bytes.
 */
#include "model/codec.h"

#include <string.h>

#include "base/id.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct leaf {
	const char *text;
	int64_t number;
};

static const struct codec_field leaf_fields[] = {
	CODEC_FIELD(struct leaf, text, CODEC_TEXT, CODEC_CONTENT, false, 0),
	CODEC_FIELD(struct leaf, number, CODEC_INT, CODEC_PLAIN, false, 0),
	CODEC_END,
};
static const struct codec_type leaf_type = { "leaf", sizeof(struct leaf), leaf_fields };

struct tree {
	const char *text, *secret;
	int64_t number, at;
	double real;
	bool flag;
	struct id id;
	struct leaf leaf;
	struct codec_list leaves;
};

#define FIELD(member, kind, class, max) CODEC_FIELD(struct tree, member, kind, class, false, max)

static const struct codec_field tree_fields[] = {
	FIELD(text, CODEC_TEXT, CODEC_PLAIN, 100),
	FIELD(secret, CODEC_TEXT, CODEC_CAPABILITY, 0),
	FIELD(number, CODEC_INT, CODEC_PLAIN, 0),
	FIELD(at, CODEC_TIME, CODEC_PLAIN, 0),
	FIELD(real, CODEC_REAL, CODEC_PLAIN, 0),
	FIELD(flag, CODEC_BOOL, CODEC_PLAIN, 0),
	FIELD(id, CODEC_ID, CODEC_PERSONAL, 0),
	CODEC_SUB(struct tree, leaf, CODEC_OBJECT, false, 0, &leaf_type),
	CODEC_SUB(struct tree, leaves, CODEC_LIST, false, 50, &leaf_type),
	CODEC_END,
};
static const struct codec_type tree_type = { "tree", sizeof(struct tree), tree_fields };

/* Writes what was read, reads it back and writes it again. */
static void round_trip(const struct tree *tree, struct arena *arena)
{
	struct buf first = BUF(1 << 20), second = BUF(1 << 20);
	struct tree again;

	if (codec_write(&tree_type, tree, CODEC_TO_SEALED, &first).kind != ERR_OK ||
		codec_read(&tree_type, buf_str(&first), arena, &again).kind != ERR_OK ||
		codec_write(&tree_type, &again, CODEC_TO_SEALED, &second).kind != ERR_OK)
		__builtin_trap();
	if (!str_eq(buf_str(&first), buf_str(&second)))
		__builtin_trap();
	buf_done(&first);
	buf_done(&second);
}

/* A topic carries plain fields alone. */
static void stays_in(const struct tree *tree)
{
	struct buf out = BUF(1 << 20);
	bool plain = tree->secret == NULL && id_is_nil(tree->id) && tree->leaf.text == NULL;
	const struct leaf *leaves = tree->leaves.items;

	for (size_t i = 0; i < tree->leaves.count; i++)
		plain = plain && leaves[i].text == NULL;
	if ((codec_write(&tree_type, tree, CODEC_TO_TOPIC, &out).kind == ERR_OK) != plain)
		__builtin_trap();
	buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum { INPUT_MAX = 64 * 1024 };
	struct arena *arena = arena_new(1 << 20);
	struct tree tree;
	struct buf quoted = BUF(6 * INPUT_MAX + 2);
	struct str input = { (const char *)data, size < INPUT_MAX ? size : INPUT_MAX };

	if (codec_read(&tree_type, input, arena, &tree).kind == ERR_OK) {
		round_trip(&tree, arena);
		stays_in(&tree);
	}
	if (size > 0)
		codec_quote(input, &quoted);
	if (quoted.overflow)
		__builtin_trap();
	buf_done(&quoted);
	arena_free(arena);
	return 0;
}
