/* What a reader becomes in hostile_test: attempt N, whose answer is the exit status. Built without
 * a sanitizer, whose runtime would need more than the cage gives. */
#include <stdlib.h>
#include <unistd.h>

#include "hostile_rows.h"

int main(int argc, char **argv)
{
	size_t row = argc == 2 ? strtoul(argv[1], NULL, 10) : HOSTILE_ROWS;

	_exit(row < HOSTILE_ROWS ? hostile_rows[row].attempt() : HOSTILE_NONE);
}
