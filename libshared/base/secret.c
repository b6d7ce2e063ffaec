#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

enum { LOOK_MS = 1000, SIZE_MAX_BYTES = 1 << 20, GROUPS_MAX = 256 };

/* By what a file is known to be the same. */
struct mark {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified, changed;
};

struct secret {
	pthread_mutex_t lock;
	char *path; /* NULL: fixed */
	size_t size;
	bool is_binary, is_owner_only;
	char *bytes, *fresh; /* size each, one mapping; fresh is for reading into */
	size_t len;
	uint64_t generation;
	struct mark mark;
	bool is_settled; /* the mark is old enough to trust: no later write can have the same one */
	int64_t looked_ms;
	const char *fault;
	struct {
		uint64_t generation;
		const char *fault;
	} told;
};

void secret_wipe(void *bytes, size_t len)
{
	explicit_bzero(bytes, len);
}

static size_t mapping_bytes(const struct secret *secret)
{
	return 2 * secret->size;
}

static bool map(struct secret *secret)
{
	char *pages = mmap(NULL, mapping_bytes(secret), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (pages == MAP_FAILED)
		return false;
	madvise(pages, mapping_bytes(secret), MADV_DONTDUMP);
	mlock(pages, mapping_bytes(secret)); /* refused where the limit is low: no reason to stop */
	secret->bytes = pages;
	secret->fresh = pages + secret->size;
	return true;
}

static struct mark mark_of(const struct stat *now)
{
	return (struct mark){ now->st_dev, now->st_ino, now->st_size, now->st_mtim, now->st_ctim };
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool same_mark(const struct mark *a, const struct mark *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       same_time(a->modified, b->modified) && same_time(a->changed, b->changed);
}

/* File times move in ticks: what was written a moment ago may be written again under the same mark.
 */
static bool is_settled(const struct mark *mark)
{
	return clock_wall_ms() - (int64_t)mark->changed.tv_sec * 1000 > 2 * LOOK_MS;
}

static bool is_our_group(gid_t group)
{
	gid_t groups[GROUPS_MAX];
	int count =
		getgroups(GROUPS_MAX, groups); /* -1 when there are more: then it is none of them */

	if (group == getegid())
		return true;
	while (count > 0)
		if (groups[--count] == group)
			return true;
	return false;
}

bool secret_is_private(const struct stat *file)
{
	mode_t mode = file->st_mode & 07777;

	return mode == 0600 || mode == 0400 || (mode == 0440 && is_our_group(file->st_gid));
}

static const char *refuse(const struct secret *secret, const struct stat *now)
{
	if (!S_ISREG(now->st_mode))
		return "it is not a regular file";
	if (secret->is_owner_only && !secret_is_private(now))
		return "others have rights on it: mode 0600, 0400 or, of our group, 0440 is needed";
	if (now->st_size == 0)
		return "it is empty";
	if ((uint64_t)now->st_size >= secret->size)
		return "it is too large";
	return NULL;
}

/* All of the file into fresh; *ret_len. NULL or what is wrong. */
static const char *read_all(struct secret *secret, int fd, size_t *ret_len)
{
	size_t len = 0;

	while (len < secret->size - 1) {
		ssize_t n = read(fd, secret->fresh + len, secret->size - 1 - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return "it cannot be read";
		if (n == 0)
			break;
		len += (size_t)n;
	}
	while (!secret->is_binary && len > 0 &&
		(secret->fresh[len - 1] == '\n' || secret->fresh[len - 1] == '\r'))
		len--;
	secret->fresh[len] = '\0';
	if (len == 0)
		return "it is empty";
	if (!secret->is_binary && strlen(secret->fresh) != len)
		return "it holds a NUL";
	*ret_len = len;
	return NULL;
}

/* What was read comes into force, if it is another value. */
static void take(struct secret *secret, size_t len)
{
	if (len == secret->len && memcmp(secret->bytes, secret->fresh, len) == 0)
		return;
	secret_wipe(secret->bytes, secret->size);
	memcpy(secret->bytes, secret->fresh, len + 1);
	secret->len = len;
	secret->generation++;
}

static const char *read_open(struct secret *secret, int fd)
{
	struct stat before, after;
	size_t len = 0;

	if (fstat(fd, &before) != 0)
		return "it cannot be read";
	const char *fault = refuse(secret, &before);
	if (fault == NULL)
		fault = read_all(secret, fd, &len);
	struct mark mark = mark_of(&before), mark_after = mark;
	if (fstat(fd, &after) == 0)
		mark_after = mark_of(&after);
	/* somebody was writing: the next look takes it */
	bool was_still = same_mark(&mark, &mark_after);
	secret->mark = mark;
	secret->is_settled = was_still && is_settled(&mark);
	if (fault == NULL && was_still)
		take(secret, len);
	secret_wipe(secret->fresh, secret->size);
	return was_still || secret->generation > 0 ? fault : "it is being written";
}

static const char *read_file(struct secret *secret)
{
	/* O_NONBLOCK: a pipe in its place must not stop us */
	int fd = open(secret->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0) {
		secret->is_settled = false;
		return "it cannot be opened";
	}
	const char *fault = read_open(secret, fd);
	close(fd);
	return fault;
}

static bool is_unchanged(const struct secret *secret)
{
	struct stat now;

	if (!secret->is_settled || stat(secret->path, &now) != 0)
		return false;
	struct mark mark = mark_of(&now);
	return same_mark(&secret->mark, &mark);
}

/* The lock is held. */
static void look(struct secret *secret, bool at_once)
{
	int64_t now_ms = clock_mono_ms();

	if (secret->path == NULL || (!at_once && now_ms - secret->looked_ms < LOOK_MS))
		return;
	secret->looked_ms = now_ms;
	if (!is_unchanged(secret))
		secret->fault = read_file(secret);
}

static struct err open_first(struct secret *secret, const struct secret_conf *conf)
{
	if (!map(secret))
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for a secret");
	if (conf->path == NULL) {
		size_t len = strlen(conf->text);
		if (len >= secret->size)
			return err_fatal(ERR_CODE_BAD_CONFIG, "it is too large");
		memcpy(secret->bytes, conf->text, len + 1);
		secret->len = len;
		secret->generation = 1;
		return err_ok();
	}
	secret->path = strdup(conf->path);
	if (secret->path == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for a secret");
	look(secret, true);
	if (secret->generation == 0)
		return err_fatal(ERR_CODE_BAD_CONFIG,
			secret->fault == NULL ? "it cannot be read" : secret->fault);
	return err_ok();
}

struct err secret_open(const struct secret_conf *conf, struct secret **ret_secret)
{
	size_t size = conf->size == 0 ? SECRET_BYTES : conf->size;
	struct secret *secret = size > SIZE_MAX_BYTES ? NULL : calloc(1, sizeof *secret);

	if (secret == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for a secret");
	pthread_mutex_init(&secret->lock, NULL);
	secret->size = size;
	secret->is_binary = conf->is_binary;
	secret->is_owner_only = conf->is_owner_only;
	struct err e = open_first(secret, conf);
	if (e.kind != ERR_OK) {
		secret_free(secret);
		return e;
	}
	secret->told.generation = secret->generation;
	*ret_secret = secret;
	return err_ok();
}

void secret_free(struct secret *secret)
{
	if (secret == NULL)
		return;
	if (secret->bytes != NULL) {
		secret_wipe(secret->bytes, mapping_bytes(secret));
		munmap(secret->bytes, mapping_bytes(secret));
	}
	pthread_mutex_destroy(&secret->lock);
	free(secret->path);
	free(secret);
}

size_t secret_copy(struct secret *secret, char *ret_bytes, uint64_t *ret_generation)
{
	pthread_mutex_lock(&secret->lock);
	look(secret, false);
	size_t len = secret->len;
	memcpy(ret_bytes, secret->bytes, len + 1);
	if (ret_generation != NULL)
		*ret_generation = secret->generation;
	pthread_mutex_unlock(&secret->lock);
	return len;
}

uint64_t secret_generation(struct secret *secret)
{
	pthread_mutex_lock(&secret->lock);
	look(secret, false);
	uint64_t generation = secret->generation;
	pthread_mutex_unlock(&secret->lock);
	return generation;
}

bool secret_renew(struct secret *secret, uint64_t refused_generation)
{
	pthread_mutex_lock(&secret->lock);
	look(secret, true);
	bool is_other = secret->generation != refused_generation;
	pthread_mutex_unlock(&secret->lock);
	return is_other;
}

bool secret_take_news(struct secret *secret, struct secret_news *ret_news)
{
	pthread_mutex_lock(&secret->lock);
	look(secret, false);
	bool changed = secret->generation != secret->told.generation;
	bool is_new = changed || (secret->fault != NULL && secret->fault != secret->told.fault);
	if (is_new)
		*ret_news = (struct secret_news){ changed, secret->fault, secret->generation,
			secret->len };
	secret->told.generation = secret->generation;
	secret->told.fault = secret->fault;
	pthread_mutex_unlock(&secret->lock);
	return is_new;
}
