#include "pgm.h"

#include <errno.h>
#include <leptonica/allheaders.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* The next number after white space; false unless it is 1..max and something follows it. */
static bool take_number(struct str head, size_t *at, uint32_t max, uint32_t *ret_number)
{
	uint64_t number;
	size_t start = *at;

	while (start < head.len && is_space(head.ptr[start]))
		start++;
	size_t end = start;
	while (end < head.len && !is_space(head.ptr[end]))
		end++;
	if (start == *at || end == head.len || end - start > 10 ||
		!str_to_u64((struct str){ head.ptr + start, end - start }, &number))
		return false;
	if (number < 1)
		return false;
	*ret_number = number > max ? max + 1 : (uint32_t)number;
	*at = end;
	return true;
}

enum pgm_status pgm_parse(struct str head, uint32_t pixels_max, struct pgm *ret_pgm)
{
	uint32_t width, height, depth;
	size_t at = 2;

	if (head.len > PGM_HEADER_MAX)
		head.len = PGM_HEADER_MAX;
	if (!str_starts(head, STR("P5")) || !take_number(head, &at, PGM_SIDE_MAX, &width) ||
		!take_number(head, &at, PGM_SIDE_MAX, &height) ||
		!take_number(head, &at, 65535, &depth) || depth != 255)
		return PGM_BROKEN;
	if (width > PGM_SIDE_MAX || height > PGM_SIDE_MAX || (uint64_t)width * height > pixels_max)
		return PGM_TOO_LARGE;
	*ret_pgm = (struct pgm){ width, height, at + 1 };
	return PGM_OK;
}

/* Reads until len bytes or the end; how many there were. */
static size_t read_all(int fd, unsigned char *data, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = read(fd, data + done, len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return done;
}

/* Rows into pix; the first rest.len bytes were read with the header. */
static bool read_rows(int fd, struct str rest, const struct pgm *pgm, struct Pix *pix)
{
	size_t stride = (size_t)pixGetWpl(pix) * 4;
	unsigned char *row = (unsigned char *)pixGetData(pix);

	for (uint32_t y = 0; y < pgm->height; y++, row += stride) {
		size_t have = rest.len < pgm->width ? rest.len : pgm->width;
		if (have > 0)
			memcpy(row, rest.ptr, have);
		rest.ptr += have;
		rest.len -= have;
		size_t need = pgm->width - have;
		if (need > 0 && read_all(fd, row + have, need) != need)
			return false;
	}
	return true;
}

enum pgm_status pgm_read(int fd, uint32_t pixels_max, struct Pix **ret_pix)
{
	char head[PGM_HEADER_MAX];
	struct pgm pgm;

	size_t len = read_all(fd, (unsigned char *)head, sizeof head);
	enum pgm_status status = pgm_parse((struct str){ head, len }, pixels_max, &pgm);
	if (status != PGM_OK)
		return status;
	struct Pix *pix = pixCreate((l_int32)pgm.width, (l_int32)pgm.height, 8);
	if (pix == NULL)
		return PGM_TOO_LARGE;
	struct str rest = { head + pgm.header_bytes, len - pgm.header_bytes };
	if (!read_rows(fd, rest, &pgm, pix)) {
		pixDestroy(&pix);
		return PGM_BROKEN;
	}
	/* leptonica keeps 32-bit words with the leftmost pixel in the highest byte */
	pixEndianByteSwap(pix);
	*ret_pix = pix;
	return PGM_OK;
}
