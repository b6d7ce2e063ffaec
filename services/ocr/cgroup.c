#include "cgroup.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_MAX = 8192 };

static struct str read_file(const char *path, char *ret_text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? 0 : read(fd, ret_text, TEXT_MAX);

	if (fd >= 0)
		close(fd);
	return (struct str){ ret_text, len < 0 ? 0 : (size_t)len };
}

/* The number in folder/file; "max", nonsense and nothing are no limit. */
static uint64_t limit_in(struct str folder, const char *file)
{
	char path[PATH_MAX], text[TEXT_MAX];
	struct str rest;
	uint64_t limit;

	int len = snprintf(path, sizeof path, "%.*s/%s", (int)folder.len, folder.ptr, file);
	if (len < 0 || len >= (int)sizeof path)
		return UINT64_MAX;
	struct str line = str_cut(read_file(path, text), '\n', &rest);
	return str_to_u64(line, &limit) ? limit : UINT64_MAX;
}

/* folder and every parent down to the mount point of root_len bytes. */
static uint64_t least_limit(struct str folder, size_t root_len, const char *file)
{
	uint64_t least = UINT64_MAX;

	for (;;) {
		uint64_t limit = limit_in(folder, file);
		least = limit < least ? limit : least;
		if (folder.len <= root_len)
			return least;
		while (folder.len > root_len && folder.ptr[folder.len - 1] != '/')
			folder.len--;
		if (folder.len > root_len)
			folder.len--;
	}
}

/* One line: hierarchy:controllers:path. */
static uint64_t limit_of_line(struct str line, const char *mount)
{
	char folder[PATH_MAX];
	struct str rest, path;

	str_cut(line, ':', &rest);
	struct str controllers = str_cut(rest, ':', &path);
	bool v1 = str_eq(controllers, STR("memory"));
	if (!v1 && controllers.len > 0)
		return UINT64_MAX;
	int root = snprintf(folder, sizeof folder, "%s%s", mount, v1 ? "/memory" : "");
	if (root < 0 || path.len == 0 || (size_t)root + path.len >= sizeof folder)
		return UINT64_MAX;
	memcpy(folder + root, path.ptr, path.len);
	return least_limit((struct str){ folder, (size_t)root + path.len }, (size_t)root,
		v1 ? "memory.limit_in_bytes" : "memory.max");
}

uint64_t cgroup_memory_max_at(struct str text, const char *mount)
{
	uint64_t least = UINT64_MAX;

	while (text.len > 0) {
		struct str line = str_cut(text, '\n', &text);
		uint64_t limit = limit_of_line(line, mount);
		least = limit < least ? limit : least;
	}
	return least;
}

uint64_t cgroup_memory_max(void)
{
	char text[TEXT_MAX];

	return cgroup_memory_max_at(read_file("/proc/self/cgroup", text), "/sys/fs/cgroup");
}
