/*
 * When the certificates that a process shows to others end, one gauge for all of them, so that one
 * alert sees each. Authorities are none of them: a file of those may hold an old one on purpose.
 */
#ifndef ESTEIRA_FRAME_CERTIFICATE_H
#define ESTEIRA_FRAME_CERTIFICATE_H

struct metrics;

/* name: of the wire it is for, static. read(arg): when the one in use ends, seconds since 1970, at
 * each scrape as metrics_watch says. Any thread. */
void certificate_watch(
	struct metrics *metrics, const char *name, double (*read)(void *arg), void *arg);

/* One that is read once, by whoever is opened next; path NULL or "": there is none. Any thread. */
void certificate_note(struct metrics *metrics, const char *name, const char *path);

#endif
