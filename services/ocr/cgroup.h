/*
 * How much memory this process and its children may use together: the kernel kills a whole
 * container that exceeds it, so the limits of the children have to fit.
 */
#ifndef ESTEIRA_OCR_CGROUP_H
#define ESTEIRA_OCR_CGROUP_H

#include "base/str.h"

#include <stdint.h>

/* The least limit of our cgroup and its parents, version 1 or 2; UINT64_MAX when there is none. */
uint64_t cgroup_memory_max(void);

/* The same for any /proc/PID/cgroup (text) and mount point; for tests. */
uint64_t cgroup_memory_max_at(struct str text, const char *mount);

#endif
