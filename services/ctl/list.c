#include "list.h"

#include "base/clock.h"

enum { COLUMNS_MAX = 16, CELL_MAX = 4096, ROW_MAX = 64 * 1024 };

static const void *row_at(
	const struct codec_type *type, const struct codec_list *rows, size_t index)
{
	return (const char *)rows->items + index * type->size;
}

static void add_time(int64_t wall_ms, struct buf *out)
{
	char text[CLOCK_TEXT_BYTES];

	clock_format(wall_ms, text);
	buf_add_str(out, str_of(text));
}

/* One field of a row as people read it. */
static void add_cell(const struct codec_field *field, const void *row, struct buf *out)
{
	const void *at = (const char *)row + field->offset;
	int64_t number = CODEC_NO_INT;

	if (field->kind == CODEC_INT || field->kind == CODEC_TIME)
		number = *(const int64_t *)at;
	if (field->kind == CODEC_TEXT)
		buf_add_str(out, str_of(*(const char *const *)at));
	else if (field->kind == CODEC_BOOL)
		buf_addf(out, "%s", *(const bool *)at ? "yes" : "no");
	else if (field->kind == CODEC_INT && number != CODEC_NO_INT)
		buf_addf(out, "%lld", (long long)number);
	else if (field->kind == CODEC_TIME && number != CODEC_NO_INT)
		add_time(number, out);
	if (out->len == 0)
		buf_add(out, "-", 1);
}

/* Characters, not bytes: a name may have accents. */
static int width_of(struct str text)
{
	int width = 0;

	for (size_t i = 0; i < text.len; i++)
		width += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
	return width;
}

static void print_cell(struct str text, int width, bool last, FILE *out)
{
	fwrite(text.ptr, 1, text.len, out);
	fprintf(out, "%*s", last ? 0 : width - width_of(text) + 2, "");
}

static void print_heads(const struct codec_type *type, const int *widths, FILE *out)
{
	for (size_t i = 0; type->fields[i].name != NULL; i++)
		print_cell(str_of(type->fields[i].name), widths[i],
			type->fields[i + 1].name == NULL, out);
	fputc('\n', out);
}

static int max_int(int a, int b)
{
	return a > b ? a : b;
}

static struct err print_table(
	const struct codec_type *type, const struct codec_list *rows, FILE *out)
{
	struct buf cell SCOPED(buf_done) = BUF(CELL_MAX);
	int widths[COLUMNS_MAX] = { 0 };
	size_t columns = 0;

	for (; type->fields[columns].name != NULL; columns++)
		if (columns == COLUMNS_MAX)
			return err_fatal(ERR_CODE_INTERNAL, "too many columns");
	for (size_t i = 0; i < columns; i++)
		widths[i] = width_of(str_of(type->fields[i].name));
	for (size_t r = 0; r < rows->count; r++) {
		for (size_t i = 0; i < columns; i++) {
			buf_clear(&cell);
			add_cell(&type->fields[i], row_at(type, rows, r), &cell);
			widths[i] = max_int(widths[i], width_of(buf_str(&cell)));
		}
	}
	print_heads(type, widths, out);
	for (size_t r = 0; r < rows->count; r++) {
		for (size_t i = 0; i < columns; i++) {
			buf_clear(&cell);
			add_cell(&type->fields[i], row_at(type, rows, r), &cell);
			print_cell(buf_str(&cell), widths[i], i + 1 == columns, out);
		}
		fputc('\n', out);
	}
	return buf_check(&cell);
}

static struct err print_json(
	const struct codec_type *type, const struct codec_list *rows, FILE *out)
{
	struct buf row SCOPED(buf_done) = BUF(ROW_MAX);

	fputc('[', out);
	for (size_t r = 0; r < rows->count; r++) {
		buf_clear(&row);
		TRY(codec_write(type, row_at(type, rows, r), CODEC_TO_CLIENT, &row));
		fprintf(out, "%s\n%s", r == 0 ? "" : ",", row.ptr);
	}
	fputs(rows->count == 0 ? "]\n" : "\n]\n", out);
	return err_ok();
}

struct err list_print(
	const struct codec_type *type, const struct codec_list *rows, bool json, FILE *out)
{
	return json ? print_json(type, rows, out) : print_table(type, rows, out);
}

static struct err print_fields(const struct codec_type *type, const void *row, FILE *out)
{
	struct buf cell SCOPED(buf_done) = BUF(CELL_MAX);
	int width = 0;

	for (const struct codec_field *f = type->fields; f->name != NULL; f++)
		width = max_int(width, width_of(str_of(f->name)));
	for (const struct codec_field *f = type->fields; f->name != NULL; f++) {
		if (f->kind == CODEC_LIST || f->kind == CODEC_OBJECT)
			continue;
		buf_clear(&cell);
		add_cell(f, row, &cell);
		print_cell(str_of(f->name), width, false, out);
		print_cell(buf_str(&cell), 0, true, out);
		fputc('\n', out);
	}
	return buf_check(&cell);
}

struct err list_print_one(const struct codec_type *type, const void *row, bool json, FILE *out)
{
	struct buf text SCOPED(buf_done) = BUF(ROW_MAX);

	if (!json)
		return print_fields(type, row, out);
	TRY(codec_write(type, row, CODEC_TO_CLIENT, &text));
	fprintf(out, "%s\n", text.ptr);
	return err_ok();
}
