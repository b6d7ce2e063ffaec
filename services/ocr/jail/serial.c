#include "serial.h"

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
static struct sections serial_now;

void serial_use(void)
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
	const struct sections outer = serial_now;

	(void)threads;
	(void)flags;
	serial_now = (struct sections){ 1, count };
	fn(arg);
	serial_now = outer;
}

unsigned GOMP_sections_next(void)
{
	return serial_now.next <= serial_now.count ? serial_now.next++ : 0;
}

void GOMP_sections_end_nowait(void)
{
}
