#include "object.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/sabotage.h"
#include "port/http.h"
#include "port/s3.h"
#include "port/seal.h"

#include "events.h"

enum {
	ANSWER_MAX_BYTES = 64 * 1024, /* of DELETE and HEAD */
	DELETE_FOR_MS = 5000,
	DELETE_TIMEOUT_MS = 3000,
	DELETE_AGAIN_MS = 200,
};

/* --- whose it is --- */

/* A name that no server and no client takes for anything but itself. */
static bool is_plain_segment(struct str text)
{
	for (size_t i = 0; i < text.len; i++)
		if (memchr("abcdefghijklmnopqrstuvwxyz0123456789.-", text.ptr[i], 38) == NULL)
			return false;
	return text.len > 0 && text.ptr[0] != '.';
}

static bool is_at(const char *path, struct str wanted)
{
	struct str query, object;
	struct str place = str_cut(str_of(path), '?', &query);

	if (!str_starts(place, STR("/")))
		return false;
	const struct str bucket =
		str_cut((struct str){ place.ptr + 1, place.len - 1 }, '/', &object);
	return is_plain_segment(bucket) && str_eq(object, wanted);
}

struct err object_check(
	const struct events_received *paths, struct tenant tenant, struct arena *arena)
{
	const char *const all[] = { paths->get_path, paths->head_path, paths->delete_path };
	char owner[ID_TEXT_BYTES], job[ID_TEXT_BYTES];

	id_format(tenant.id, owner);
	id_format(paths->job_id, job);
	const char *wanted = arena_printf(arena, "%s/%s.enc", owner, job);
	if (wanted == NULL)
		return arena_overflow();
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (!is_at(all[i], str_of(wanted)) && !sabotage_is("path_check"))
			return err_reject(ERR_CODE_TENANT_MISMATCH,
				"a signed path names another object than the job's");
	return err_ok();
}

/* --- fetching --- */

struct err object_fetch(const struct object_place *place, const struct events_received *paths,
	int64_t timeout_ms, struct http_response *ret_sealed)
{
	struct s3_fetch fetch = { "GET", NULL, place->max_bytes, timeout_ms, place->ear };

	TRY(s3_url(place->endpoint, str_of(paths->get_path), place->arena, &fetch.url));
	return s3_fetch(place->http, &fetch, ret_sealed);
}

/* --- opening --- */

static struct err no_memory(void)
{
	return err_retry(ERR_CODE_OUT_OF_MEMORY, "no memory for a document");
}

static struct err unseal_into(const struct seal_context *context, const uint8_t *half,
	struct str sealed, int fd, size_t room)
{
	const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	size_t len = 0;

	if (ftruncate(fd, (off_t)room) != 0)
		return no_memory();
	void *plain = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (plain == MAP_FAILED)
		return no_memory();
	struct err e = seal_doc_open(context, half, sealed, plain, &len);
	munmap(plain, room); /* no seal against writing while somebody could */
	TRY(e);
	if (ftruncate(fd, (off_t)len) != 0 || fcntl(fd, F_ADD_SEALS, seals) != 0)
		return no_memory();
	return err_ok();
}

struct err object_unseal(
	const struct seal_context *context, const uint8_t *half, struct str sealed, int *ret_fd)
{
	uint64_t room = seal_doc_room(sealed.len);

	if (room == 0)
		return err_reject(ERR_CODE_UNDECRYPTABLE, "no encrypted document has this size");
	int fd = memfd_create("document", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return no_memory();
	struct err e = unseal_into(context, half, sealed, fd, (size_t)room);
	if (e.kind == ERR_OK)
		*ret_fd = fd;
	else
		close(fd);
	return e;
}

/* --- deleting --- */

static struct err send(const struct object_place *place, const char *method, const char *path)
{
	SCOPED(http_response_done) struct http_response response = { 0 };
	struct s3_fetch fetch = { method, NULL, ANSWER_MAX_BYTES, DELETE_TIMEOUT_MS, place->ear };

	TRY(s3_url(place->endpoint, str_of(path), place->arena, &fetch.url));
	return s3_fetch(place->http, &fetch, &response);
}

static struct err delete_once(const struct object_place *place, const struct events_received *paths)
{
	struct err e = send(place, "DELETE", paths->delete_path);

	if (e.kind != ERR_OK && !err_is(e, ERR_CODE_NOT_FOUND))
		return e;
	e = send(place, "HEAD", paths->head_path);
	if (e.kind == ERR_OK)
		return err_retry(
			ERR_CODE_STORAGE_AWAY, "the object is still there after its deletion");
	return err_is(e, ERR_CODE_NOT_FOUND) ? err_ok() : e;
}

static void nap(void)
{
	const struct timespec span = { .tv_nsec = DELETE_AGAIN_MS * 1000000L };

	nanosleep(&span, NULL);
}

struct err object_delete(const struct object_place *place, const struct events_received *paths)
{
	int64_t until_ms = clock_mono_ms() + DELETE_FOR_MS;

	for (;;) {
		struct err e = delete_once(place, paths);
		if (e.kind != ERR_RETRY || clock_mono_ms() >= until_ms)
			return e;
		nap();
	}
}
