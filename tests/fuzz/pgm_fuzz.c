/*
 * Bitmaps as a renderer that was taken over might write them: whatever the header says, what comes
 * out is within bounds.
 */
#include "pgm.h"

#include <leptonica/allheaders.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PIXELS_MAX = 10000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pgm pgm;
	struct Pix *pix;
	struct str head = { (const char *)data, size };

	if (pgm_parse(head, PIXELS_MAX, &pgm) == PGM_OK &&
		((uint64_t)pgm.width * pgm.height > PIXELS_MAX || pgm.header_bytes > size))
		abort();
	int fd = memfd_create("bitmap", MFD_CLOEXEC);
	if (fd < 0)
		return 0;
	if (write(fd, data, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0 &&
		pgm_read(fd, PIXELS_MAX, &pix) == PGM_OK)
		pixDestroy(&pix);
	close(fd);
	return 0;
}
