#include "port/digest.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/encode.h"

struct digest {
	EVP_MD_CTX *md;
};

/* What OpenSSL refuses here is memory or a broken installation; see the header. */
static void must(bool good)
{
	if (!good)
		abort();
}

struct digest *digest_new(void)
{
	struct digest *digest = malloc(sizeof *digest);

	if (digest == NULL)
		return NULL;
	digest->md = EVP_MD_CTX_new();
	if (digest->md == NULL || EVP_DigestInit_ex(digest->md, EVP_sha256(), NULL) != 1) {
		digest_free(digest);
		return NULL;
	}
	return digest;
}

void digest_add(struct digest *digest, struct str bytes)
{
	must(EVP_DigestUpdate(digest->md, bytes.ptr, bytes.len) == 1);
}

void digest_end(struct digest *digest, uint8_t *ret_hash)
{
	must(EVP_DigestFinal_ex(digest->md, ret_hash, NULL) == 1);
}

void digest_free(struct digest *digest)
{
	if (digest == NULL)
		return;
	EVP_MD_CTX_free(digest->md);
	free(digest);
}

void digest_drop(struct digest **digest)
{
	digest_free(*digest);
}

void digest_sha256(struct str bytes, uint8_t *ret_hash)
{
	must(EVP_Digest(bytes.ptr, bytes.len, ret_hash, NULL, EVP_sha256(), NULL) == 1);
}

void digest_sha1_hex(struct str bytes, char *ret_text)
{
	uint8_t hash[(DIGEST_SHA1_HEX_BYTES - 1) / 2];

	must(EVP_Digest(bytes.ptr, bytes.len, hash, NULL, EVP_sha1(), NULL) == 1);
	encode_hex(hash, sizeof hash, ret_text);
}

void digest_hmac_sha256(struct str key, struct str bytes, uint8_t *ret_mac)
{
	/* a NULL key would mean "the key of before" */
	const char *key_ptr = key.len == 0 ? "" : key.ptr;
	const uint8_t *data = (const uint8_t *)bytes.ptr;

	must(HMAC(EVP_sha256(), key_ptr, (int)key.len, data, bytes.len, ret_mac, NULL) != NULL);
}

void digest_hkdf(struct str secret, struct str salt, struct str info, void *ret_key, size_t len)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_HKDF, NULL);
	EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
	char hash[] = "SHA256";
	/* OpenSSL takes the parameters as writable and does not write */
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, hash, 0),
		OSSL_PARAM_construct_octet_string(
			OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)secret.ptr, secret.len),
		OSSL_PARAM_construct_octet_string(
			OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)info.ptr, info.len),
		OSSL_PARAM_construct_end(),
		OSSL_PARAM_construct_end(),
	};

	if (salt.len > 0)
		params[3] = OSSL_PARAM_construct_octet_string(
			OSSL_KDF_PARAM_SALT, (void *)(uintptr_t)salt.ptr, salt.len);
	must(context != NULL && EVP_KDF_derive(context, ret_key, len, params) == 1);
	EVP_KDF_CTX_free(context);
	EVP_KDF_free(kdf);
}

void digest_uuid5(struct id space, const struct str *parts, size_t count, struct id *ret_id)
{
	uint8_t hash[20];
	EVP_MD_CTX *md = EVP_MD_CTX_new();

	must(md != NULL && EVP_DigestInit_ex(md, EVP_sha1(), NULL) == 1);
	must(EVP_DigestUpdate(md, space.bytes, sizeof space.bytes) == 1);
	for (size_t i = 0; i < count; i++) {
		must(i == 0 || EVP_DigestUpdate(md, "\x1f", 1) == 1);
		must(EVP_DigestUpdate(md, parts[i].ptr, parts[i].len) == 1);
	}
	must(EVP_DigestFinal_ex(md, hash, NULL) == 1);
	EVP_MD_CTX_free(md);
	memcpy(ret_id->bytes, hash, sizeof ret_id->bytes);
	ret_id->bytes[6] = (uint8_t)((ret_id->bytes[6] & 0x0f) | 0x50);
	ret_id->bytes[8] = (uint8_t)((ret_id->bytes[8] & 0x3f) | 0x80);
}

struct id digest_event_namespace(void)
{
	return (struct id){ { 0xa2, 0xd4, 0x65, 0x88, 0x5d, 0xa5, 0x52, 0xc8, 0xb1, 0x4b, 0x5a,
		0xb6, 0xc0, 0x52, 0x06, 0x63 } };
}

bool digest_equal(const void *a, const void *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}

void digest_random(void *ret_bytes, size_t len)
{
	uint8_t *to = ret_bytes;

	/* one call gives at most 256 bytes without being interruptible */
	while (len > 0) {
		size_t part = len < 256 ? len : 256;
		must(getrandom(to, part, 0) == (ssize_t)part);
		to += part;
		len -= part;
	}
}

void digest_wipe(void *bytes, size_t len)
{
	OPENSSL_cleanse(bytes, len);
}
