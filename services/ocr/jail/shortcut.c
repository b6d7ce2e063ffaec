#include "shortcut.h"

#include <leptonica/allheaders.h>

/* The compiler's interface to libgomp (gcc, libgomp/libgomp_g.h). */
void GOMP_parallel(void (*fn)(void *arg), void *arg, unsigned threads, unsigned flags);
void GOMP_parallel_sections(
	void (*fn)(void *arg), void *arg, unsigned threads, unsigned count, unsigned flags);
unsigned GOMP_sections_next(void);
void GOMP_sections_end_nowait(void);

struct sections {
	unsigned next;
	unsigned count;
};

/* The sections under way: the interface has no other place for them. */
static struct sections shortcut_now;

void shortcut_use(void)
{
}

void GOMP_parallel(void (*fn)(void *arg), void *arg, unsigned threads, unsigned flags)
{
	(void)threads;
	(void)flags;
	fn(arg);
}

void GOMP_parallel_sections(
	void (*fn)(void *arg), void *arg, unsigned threads, unsigned count, unsigned flags)
{
	const struct sections outer = shortcut_now;

	(void)threads;
	(void)flags;
	shortcut_now = (struct sections){ 1, count };
	fn(arg);
	shortcut_now = outer;
}

unsigned GOMP_sections_next(void)
{
	return shortcut_now.next <= shortcut_now.count ? shortcut_now.next++ : 0;
}

void GOMP_sections_end_nowait(void)
{
}

/* leptonica's own format is its memory; pixReadMem() knows a format by its first bytes. */
l_ok pixWriteMem(l_uint8 **pdata, size_t *psize, PIX *pix, l_int32 format)
{
	(void)format;
	return pixWriteMemSpix(pdata, psize, pix);
}
