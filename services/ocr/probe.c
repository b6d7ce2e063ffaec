#include "probe.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/encode.h"

enum { WIDTH = 224, MARGIN = 12, INK_ROWS = 18, HEIGHT = INK_ROWS + 2 * MARGIN };

/* One row of ink per line, 1 is black: "Prova de leitura" in DejaVu Sans, 24 pixels. */
static const char ink[] = "000ff8000000000000000000c000000c000030000000000000000000"
			  "000ffc000000000000000000c000000c000030c00000000000000000"
			  "000e0e000000000000000000c000000c000030c00000000000000000"
			  "000e06000000000000000000c000000c000000c00000000000000000"
			  "000e07000000000000000000c000000c000000c00000000000000000"
			  "000e0733c3e060183f00003cc07c000c03e031fe30186787e0000000"
			  "000e063fcff07018ff8000ffc1ff000c0ff831fe30187f9ff0000000"
			  "000e0e3c1c383038c1c001c3c1c3800c0e1c30c03018781838000000"
			  "000ffc38181c303000c00181c301800c180c30c03018700018000000"
			  "000ff838180c383000c00180c301800c180c30c03018700018000000"
			  "000e0030380c18603fe00380c7ff800c3ffc30c030186007fc000000"
			  "000e0030380c1860ffe00380c7ff800c3ffc30c03018601ffc000000"
			  "000e0030380c0ce0e0e00380c700000c380030c03018601c1c000000"
			  "000e0030180c0cc0c0e00180c300000c180030c0301860181c000000"
			  "000e0030181c0ec1c0e00181c300000c180030c0383860381c000000"
			  "000e00301c3807c0c3e001c3c1c1800c0e0c30e0187860187c000000"
			  "000e00300ff00780ffe000ffc1ff800c0ffc307e1ff8601ffc000000"
			  "000e003003e007807ce0007cc07e000c03f0303e0f98600f9c000000";

bool probe_write(int fd)
{
	unsigned char pgm[32 + WIDTH * HEIGHT], row[WIDTH / 8];
	size_t len = (size_t)snprintf((char *)pgm, 32, "P5\n%d %d\n255\n", WIDTH, HEIGHT);
	size_t size = len + WIDTH * HEIGHT;

	memset(pgm + len, 0xff, WIDTH * HEIGHT);
	for (int y = 0; y < INK_ROWS; y++) {
		struct str hex = { ink + (size_t)y * sizeof row * 2, sizeof row * 2 };
		unsigned char *pixels = pgm + len + (MARGIN + y) * WIDTH;
		if (!encode_hex_back(hex, row, sizeof row))
			return false;
		for (int x = 0; x < WIDTH; x++)
			if (row[x / 8] >> (7 - x % 8) & 1)
				pixels[x] = 0;
	}
	return write(fd, pgm, size) == (ssize_t)size;
}

bool probe_is_text(struct str text)
{
	return str_starts(text, STR("Prova de leitura"));
}
