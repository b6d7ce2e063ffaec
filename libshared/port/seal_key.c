#include "port/seal_key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/secret.h"
#include "port/digest.h"

enum { NONCE_BYTES = 12, TAG_BYTES = 16, BLOB_FORMAT = 1 };

void seal_key_fill(const struct seal_random *random, void *ret_bytes, size_t len)
{
	if (random == NULL)
		digest_random(ret_bytes, len);
	else
		random->fill(random->arg, ret_bytes, len);
}

struct seal_key *seal_key_room(size_t count)
{
	const size_t bytes = count * sizeof(struct seal_key);
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *room = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (room == MAP_FAILED)
		return NULL;
	/* best effort: a small RLIMIT_MEMLOCK must not keep a service from starting */
	(void)mlock(room, bytes);
	(void)madvise(room, (bytes + page - 1) / page * page, MADV_DONTDUMP);
	return room;
}

void seal_key_room_free(struct seal_key *keys, size_t count)
{
	if (keys == NULL)
		return;
	digest_wipe(keys, count * sizeof *keys);
	munmap(keys, count * sizeof *keys);
}

struct seal_key *seal_key_new(void)
{
	return seal_key_room(1);
}

void seal_key_free(struct seal_key *key)
{
	seal_key_room_free(key, 1);
}

void seal_key_wipe(struct seal_key *key)
{
	digest_wipe(key, sizeof *key);
}

static void close_fd(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

struct err seal_key_load_master(const char *path, struct seal_key **ret_master)
{
	/* non-blocking, so that a FIFO in the file's place is refused and not waited for */
	int fd SCOPED(close_fd) = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0)
		return err_fatal(ERR_CODE_SECRET_MISSING, "the master key file cannot be opened");
	if (!S_ISREG(st.st_mode))
		return err_fatal(ERR_CODE_BAD_CONFIG, "the master key is not a regular file");
	if (!secret_is_private(&st))
		return err_fatal(ERR_CODE_BAD_CONFIG,
			"the master key file's mode is not 0600, 0400 or, of our group, 0440");
	if (st.st_size != SEAL_KEY_BYTES)
		return err_fatal(
			ERR_CODE_BAD_CONFIG, "the master key file is not exactly 32 bytes long");
	struct seal_key *master = seal_key_new();
	if (master == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for the master key");
	if (read(fd, master->bytes, SEAL_KEY_BYTES) != SEAL_KEY_BYTES) {
		seal_key_free(master);
		return err_fatal(ERR_CODE_SECRET_MISSING, "the master key file cannot be read");
	}
	*ret_master = master;
	return err_ok();
}

void seal_key_make(const struct seal_random *random, struct seal_key *ret_key)
{
	seal_key_fill(random, ret_key->bytes, sizeof ret_key->bytes);
}

static struct str key_str(const struct seal_key *key)
{
	return (struct str){ (const char *)key->bytes, sizeof key->bytes };
}

static void cipher_drop(EVP_CIPHER_CTX **cipher)
{
	EVP_CIPHER_CTX_free(*cipher);
}

/* AES-256-GCM under HKDF(outer, context), context already taken as additional data. */
static bool cipher_begin(EVP_CIPHER_CTX *cipher, const struct seal_key *outer, struct str context,
	const uint8_t *nonce, bool encrypt)
{
	struct seal_key key SCOPED(seal_key_wipe) = { { 0 } };
	int len;

	digest_hkdf(key_str(outer), STR(""), context, key.bytes, sizeof key.bytes);
	return cipher != NULL &&
	       EVP_CipherInit_ex(
		       cipher, EVP_aes_256_gcm(), NULL, key.bytes, nonce, encrypt ? 1 : 0) == 1 &&
	       EVP_CipherUpdate(
		       cipher, NULL, &len, (const uint8_t *)context.ptr, (int)context.len) == 1;
}

struct err seal_key_wrap_raw(const struct seal_key *outer, struct str context,
	const struct seal_key *inner, const struct seal_random *random, uint8_t *ret_wrap)
{
	EVP_CIPHER_CTX *cipher SCOPED(cipher_drop) = EVP_CIPHER_CTX_new();
	uint8_t wrap[SEAL_KEY_WRAP_BYTES];
	uint8_t *sealed = wrap + NONCE_BYTES;
	uint8_t *tag = sealed + SEAL_KEY_BYTES;
	int len;

	seal_key_fill(random, wrap, NONCE_BYTES);
	if (!cipher_begin(cipher, outer, context, wrap, true) ||
		EVP_EncryptUpdate(cipher, sealed, &len, inner->bytes, SEAL_KEY_BYTES) != 1 ||
		EVP_EncryptFinal_ex(cipher, tag, &len) != 1 ||
		EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, tag) != 1)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "a key could not be wrapped");
	memcpy(ret_wrap, wrap, sizeof wrap);
	return err_ok();
}

struct err seal_key_unwrap_raw(const struct seal_key *outer, struct str context,
	const uint8_t *wrap, struct seal_key *ret_inner)
{
	EVP_CIPHER_CTX *cipher SCOPED(cipher_drop) = EVP_CIPHER_CTX_new();
	struct seal_key inner SCOPED(seal_key_wipe) = { { 0 } };
	const uint8_t *sealed = wrap + NONCE_BYTES;
	uint8_t tag[TAG_BYTES];
	int len;

	memcpy(tag, sealed + SEAL_KEY_BYTES, sizeof tag);
	if (!cipher_begin(cipher, outer, context, wrap, false) ||
		EVP_DecryptUpdate(cipher, inner.bytes, &len, sealed, SEAL_KEY_BYTES) != 1 ||
		EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag) != 1)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "a key could not be unwrapped");
	if (EVP_DecryptFinal_ex(cipher, inner.bytes, &len) != 1)
		return err_reject(ERR_CODE_UNDECRYPTABLE, "the wrapped key does not open");
	*ret_inner = inner;
	return err_ok();
}

struct str seal_key_context(const struct seal_key_row *row, char *text)
{
	char tenant[ID_TEXT_BYTES];

	id_format(row->tenant.id, tenant);
	int len = snprintf(
		text, SEAL_KEY_CONTEXT_BYTES, "esteira/1|tenant-key|%s|%u", tenant, row->version);
	return (struct str){ text, (size_t)len };
}

struct err seal_key_wrap(const struct seal_key *master, const struct seal_key_row *row,
	const struct seal_key *key, const struct seal_random *random, uint8_t *ret_blob)
{
	char text[SEAL_KEY_CONTEXT_BYTES];

	TRY(seal_key_wrap_raw(master, seal_key_context(row, text), key, random, ret_blob + 1));
	ret_blob[0] = BLOB_FORMAT;
	return err_ok();
}

struct err seal_key_unwrap(const struct seal_key *master, const struct seal_key_row *row,
	struct str blob, struct seal_key *ret_key)
{
	char text[SEAL_KEY_CONTEXT_BYTES];

	if (blob.len != SEAL_KEY_TENANT_BYTES || blob.ptr[0] != BLOB_FORMAT)
		return err_reject(ERR_CODE_UNDECRYPTABLE, "not a wrapped key of this format");
	return seal_key_unwrap_raw(
		master, seal_key_context(row, text), (const uint8_t *)blob.ptr + 1, ret_key);
}
