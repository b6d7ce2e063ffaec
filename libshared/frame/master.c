#include "frame/master.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "port/digest.h"

enum { FORMAT_FILE = 1, FORMAT_TRANSIT = 2 };

/* A file and what was last read from it. */
struct key_file {
	const char *path; /* "": none */
	struct seal_key *key;
};

struct master {
	struct transit *transit; /* NULL: the file is in force */
	pthread_mutex_t mutex;	 /* over the keys of the files */
	struct key_file file, old;
};

/* --- opening --- */

static bool is_set(const char *text)
{
	return text != NULL && *text != '\0';
}

static struct err check(const struct master_conf *conf)
{
	if (is_set(conf->file) && is_set(conf->transit.url))
		return err_fatal(ERR_CODE_BAD_CONFIG,
			"ESTEIRA_SEAL_MASTER_FILE and ESTEIRA_SEAL_TRANSIT_URL: only one of them; "
			"the file before it is ESTEIRA_SEAL_MASTER_OLD_FILE");
	if (!is_set(conf->file) && !is_set(conf->transit.url))
		return err_fatal(ERR_CODE_BAD_CONFIG,
			"ESTEIRA_SEAL_MASTER_FILE or ESTEIRA_SEAL_TRANSIT_URL: one must be set");
	if (is_set(conf->transit.url) && !is_set(conf->transit.token_file))
		return err_fatal(
			ERR_CODE_BAD_CONFIG, "ESTEIRA_SEAL_TRANSIT_TOKEN_FILE: must be set");
	return err_ok();
}

static struct err load(struct key_file *file, const char *path)
{
	file->path = path;
	return is_set(path) ? seal_key_load_master(path, &file->key) : err_ok();
}

static struct err open_parts(
	struct master *master, struct loop *loop, const struct master_conf *conf)
{
	TRY(check(conf));
	TRY(load(&master->file, conf->file));
	TRY(load(&master->old, conf->old_file));
	return is_set(conf->transit.url) ? transit_open(loop, &conf->transit, &master->transit)
					 : err_ok();
}

struct err master_open(
	struct loop *loop, const struct master_conf *conf, struct master **ret_master)
{
	struct master *master = calloc(1, sizeof *master);

	if (master == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for the master key");
	pthread_mutex_init(&master->mutex, NULL);
	struct err e = open_parts(master, loop, conf);
	if (e.kind != ERR_OK) {
		master_close(master);
		return e;
	}
	*ret_master = master;
	return err_ok();
}

void master_close(struct master *master)
{
	if (master == NULL)
		return;
	transit_close(master->transit);
	seal_key_free(master->file.key);
	seal_key_free(master->old.key);
	pthread_mutex_destroy(&master->mutex);
	free(master);
}

bool master_is_remote(const struct master *master)
{
	return master->transit != NULL;
}

/* --- files --- */

/* With the lock. */
static struct err open_by(const struct key_file *file, const struct seal_key_row *row,
	struct str blob, struct seal_key *ret_key)
{
	if (file->key == NULL)
		return err_reject(ERR_CODE_UNDECRYPTABLE, "there is no such master key");
	return seal_key_unwrap(file->key, row, blob, ret_key);
}

/* With the lock: true when the file holds another key now. One that cannot be read leaves the last
 * good one in force. */
static bool reload(struct key_file *file)
{
	struct seal_key *fresh = NULL;

	if (file->key == NULL || seal_key_load_master(file->path, &fresh).kind != ERR_OK)
		return false;
	bool changed = !digest_equal(fresh->bytes, file->key->bytes, sizeof fresh->bytes);
	struct seal_key *gone = changed ? file->key : fresh;
	if (changed)
		file->key = fresh;
	seal_key_free(gone);
	return changed;
}

static struct err open_by_either(struct master *master, const struct seal_key_row *row,
	struct str blob, struct seal_key *ret_key)
{
	struct err e = open_by(&master->file, row, blob, ret_key);

	return err_is(e, ERR_CODE_UNDECRYPTABLE) ? open_by(&master->old, row, blob, ret_key) : e;
}

static struct err unwrap_by_file(struct master *master, const struct seal_key_row *row,
	struct str blob, struct seal_key *ret_key)
{
	pthread_mutex_lock(&master->mutex);
	struct err e = open_by_either(master, row, blob, ret_key);
	if (err_is(e, ERR_CODE_UNDECRYPTABLE)) {
		bool file = reload(&master->file), old = reload(&master->old);
		if (file || old)
			e = open_by_either(master, row, blob, ret_key);
	}
	pthread_mutex_unlock(&master->mutex);
	return e;
}

static struct err wrap_by_file(struct master *master, const struct seal_key_row *row,
	const struct seal_key *key, struct master_blob *ret_blob)
{
	_Static_assert((int)SEAL_KEY_TENANT_BYTES <= (int)MASTER_BLOB_BYTES, "it fits");

	pthread_mutex_lock(&master->mutex);
	struct err e = seal_key_wrap(master->file.key, row, key, NULL, ret_blob->bytes);
	pthread_mutex_unlock(&master->mutex);
	ret_blob->len = SEAL_KEY_TENANT_BYTES;
	return e;
}

static bool is_current_file(struct master *master, const struct seal_key_row *row, struct str blob)
{
	struct seal_key SCOPED(seal_key_wipe) key = { { 0 } };

	pthread_mutex_lock(&master->mutex);
	struct err e = open_by(&master->file, row, blob, &key);
	pthread_mutex_unlock(&master->mutex);
	return e.kind == ERR_OK;
}

/* --- the key service --- */

static struct str transit_text(struct str blob)
{
	return (struct str){ blob.ptr + 1, blob.len - 1 };
}

static bool is_transit(struct str blob)
{
	return blob.len > 1 && blob.ptr[0] == FORMAT_TRANSIT;
}

static struct err wrap_by_transit(struct master *master, const struct seal_key_row *row,
	const struct seal_key *key, struct master_blob *ret_blob)
{
	char text[SEAL_KEY_CONTEXT_BYTES], *to = (char *)ret_blob->bytes + 1;

	TRY(transit_wrap(master->transit, seal_key_context(row, text), key, to));
	ret_blob->bytes[0] = FORMAT_TRANSIT;
	ret_blob->len = 1 + strlen(to);
	return err_ok();
}

/* --- either --- */

struct err master_wrap(struct master *master, const struct seal_key_row *row,
	const struct seal_key *key, struct master_blob *ret_blob)
{
	return master->transit == NULL ? wrap_by_file(master, row, key, ret_blob)
				       : wrap_by_transit(master, row, key, ret_blob);
}

struct err master_unwrap(struct master *master, const struct seal_key_row *row, struct str blob,
	struct seal_key *ret_key)
{
	char text[SEAL_KEY_CONTEXT_BYTES];

	if (!is_transit(blob))
		return unwrap_by_file(master, row, blob, ret_key);
	if (master->transit == NULL)
		return err_reject(ERR_CODE_UNDECRYPTABLE,
			"the key was wrapped by a key service, and none is configured");
	return transit_unwrap(
		master->transit, seal_key_context(row, text), transit_text(blob), ret_key);
}

struct err master_rewrap(struct master *master, const struct seal_key_row *row, struct str blob,
	struct master_blob *ret_blob, bool *ret_changed)
{
	struct seal_key SCOPED(seal_key_wipe) key = { { 0 } };
	struct master_blob fresh;

	*ret_changed = false;
	if (master->transit == NULL && is_current_file(master, row, blob))
		return err_ok();
	TRY(master_unwrap(master, row, blob, &key));
	TRY(master_wrap(master, row, &key, &fresh));
	/* of a key service only the answer tells which version of its key is the newest */
	const struct str made = { (const char *)fresh.bytes, fresh.len };
	if (is_transit(blob) && is_transit(made) &&
		transit_version_of(transit_text(blob)) == transit_version_of(transit_text(made)))
		return err_ok();
	*ret_blob = fresh;
	*ret_changed = true;
	return err_ok();
}

struct err master_check(struct master *master)
{
	return master->transit == NULL ? err_ok() : transit_check(master->transit);
}

struct err master_ask(struct master *master, void (*done)(void *arg, struct err e), void *arg)
{
	if (master->transit == NULL)
		return err_fatal(ERR_CODE_INTERNAL, "there is no key service to ask");
	return transit_ask(master->transit, done, arg);
}
