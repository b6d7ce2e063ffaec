#include "api/deposit.h"

#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "port/multipart.h"
#include "port/s3_put.h"

/* What may wait for the storage: enough to keep its socket busy, little enough for many uploads at
 * once. */
enum { HIGH_WATER_BYTES = 128 * 1024, PIECE_BYTES = SEAL_CHUNK_BYTES };

enum stage {
	LOOKING, /* for the magic bytes */
	PASSING,
	PADDING, /* the body is complete */
	SENT,
};

struct head {
	char bytes[DEPOSIT_MAGIC_WITHIN];
	size_t len;
};

struct deposit {
	struct deposit_conf conf;
	const struct deposit_events *events;
	void *arg;
	struct multipart *multipart; /* NULL: the body is the document */
	struct digest *digest;
	struct seal_writer *writer;
	struct s3_put *put;
	enum stage stage;
	bool waiting;
	struct err gave_up; /* what the storage said while the client was silent */
	uint64_t document_bytes;
	uint8_t key_half[SEAL_HALF_BYTES];
	char hash[DIGEST_HEX_BYTES];
	struct head head;
};

bool deposit_has_magic(struct str bytes)
{
	return memmem(bytes.ptr, bytes.len, "%PDF-", 5) != NULL;
}

static struct err take_document(void *arg, struct str bytes);

static struct err open_parts(struct deposit *deposit)
{
	static const struct multipart_events multipart_events = { .file = take_document };
	const struct deposit_conf *conf = &deposit->conf;

	if (multipart_is(conf->content_type))
		TRY(multipart_new(
			conf->content_type, &multipart_events, deposit, &deposit->multipart));
	deposit->digest = digest_new();
	if (deposit->digest == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for an upload");
	return seal_doc_writer_new(
		conf->seal, conf->body_bytes, &deposit->writer, deposit->key_half);
}

struct err deposit_new(const struct deposit_conf *conf, const struct deposit_events *events,
	void *arg, struct deposit **ret_deposit)
{
	struct deposit *deposit = calloc(1, sizeof *deposit);

	if (deposit == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for an upload");
	deposit->conf = *conf;
	deposit->events = events;
	deposit->arg = arg;
	struct err e = open_parts(deposit);
	deposit->conf.seal = NULL;
	deposit->conf.content_type = STR("");
	if (e.kind == ERR_OK)
		*ret_deposit = deposit;
	else
		deposit_free(deposit);
	return e;
}

void deposit_free(struct deposit *deposit)
{
	if (deposit == NULL)
		return;
	if (deposit->put != NULL)
		s3_put_abort(deposit->put);
	multipart_free(deposit->multipart);
	digest_free(deposit->digest);
	seal_doc_writer_free(deposit->writer);
	digest_wipe(deposit, sizeof *deposit);
	free(deposit);
}

struct deposit_view deposit_look(const struct deposit *deposit)
{
	return (struct deposit_view){ deposit->document_bytes,
		seal_doc_size(deposit->conf.body_bytes), deposit->hash, deposit->key_half };
}

/* --- to the storage --- */

/* What a call for ciphertext made goes to the storage; the buffer is everybody's within one call.
 */
static struct err send(struct deposit *deposit, struct err sealed)
{
	struct buf *out = deposit->conf.scratch;
	struct err e = sealed.kind == ERR_OK ? s3_put_feed(deposit->put, buf_str(out)) : sealed;

	buf_clear(out);
	return e;
}

/* The body of a PADDING deposit: as much as fits below the high water, then the end. */
static struct err finish(struct deposit *deposit)
{
	bool done = false;

	while (!done && s3_put_pending(deposit->put) < HIGH_WATER_BYTES)
		TRY(send(deposit, seal_doc_finish(deposit->writer, deposit->conf.scratch, &done)));
	if (!done)
		return err_ok(); /* drained comes */
	deposit->stage = SENT;
	return s3_put_end(deposit->put);
}

static void on_drained(void *arg)
{
	struct deposit *deposit = arg;

	if (deposit->stage == PADDING) {
		struct err e = finish(deposit);
		if (e.kind != ERR_OK)
			deposit->events->done(deposit->arg, e);
	} else if (deposit->waiting) {
		deposit->waiting = false;
		deposit->events->room(deposit->arg);
	}
}

static void on_done(void *arg, struct err e)
{
	struct deposit *deposit = arg;

	deposit->put = NULL;
	deposit->gave_up = e;
	/* Servers drop a PUT that stands still, and it does because the client does: the next piece
	 * fails with e, and when none comes the client was too slow. */
	if (deposit->stage != PASSING || deposit->waiting)
		deposit->events->done(deposit->arg, e);
}

static struct err open_put(struct deposit *deposit)
{
	static const struct s3_put_callbacks callbacks = { .done = on_done, .drained = on_drained };
	const struct s3_put_request request = { .key = deposit->conf.object_key,
		.size_bytes = seal_doc_size(deposit->conf.body_bytes) };

	return s3_put_open(deposit->conf.s3, &request, &callbacks, deposit, &deposit->put);
}

/* --- the document --- */

static struct err pass(struct deposit *deposit, struct str bytes)
{
	while (bytes.len > 0) {
		size_t len = bytes.len < PIECE_BYTES ? bytes.len : PIECE_BYTES;
		const struct str piece = { bytes.ptr, len };

		if (deposit->put == NULL)
			return deposit->gave_up;
		digest_add(deposit->digest, piece);
		TRY(send(deposit, seal_doc_write(deposit->writer, piece, deposit->conf.scratch)));
		bytes = (struct str){ bytes.ptr + len, bytes.len - len };
	}
	return err_ok();
}

static struct err look(struct deposit *deposit, struct str *bytes)
{
	struct head *head = &deposit->head;
	size_t len = sizeof head->bytes - head->len;

	len = len < bytes->len ? len : bytes->len;
	memcpy(head->bytes + head->len, bytes->ptr, len);
	head->len += len;
	*bytes = (struct str){ bytes->ptr + len, bytes->len - len };
	if (!deposit_has_magic((struct str){ head->bytes, head->len }))
		return head->len == sizeof head->bytes
			       ? err_reject(ERR_CODE_NOT_A_PDF, "no %PDF- at the beginning")
			       : err_ok();
	TRY(open_put(deposit));
	deposit->stage = PASSING;
	return pass(deposit, (struct str){ head->bytes, head->len });
}

static struct err take_document(void *arg, struct str bytes)
{
	struct deposit *deposit = arg;

	deposit->document_bytes += bytes.len;
	if (deposit->document_bytes > deposit->conf.document_max_bytes)
		return err_reject(ERR_CODE_DOCUMENT_TOO_LARGE, "");
	if (deposit->stage == LOOKING)
		TRY(look(deposit, &bytes));
	return pass(deposit, bytes);
}

struct err deposit_feed(struct deposit *deposit, struct str bytes, bool *ret_wait)
{
	if (deposit->multipart != NULL)
		TRY(multipart_feed(deposit->multipart, bytes));
	else
		TRY(take_document(deposit, bytes));
	deposit->waiting = deposit->put != NULL && s3_put_pending(deposit->put) >= HIGH_WATER_BYTES;
	*ret_wait = deposit->waiting;
	return err_ok();
}

struct err deposit_end(struct deposit *deposit)
{
	uint8_t hash[DIGEST_BYTES];

	if (deposit->multipart != NULL)
		TRY(multipart_end(deposit->multipart));
	if (deposit->document_bytes == 0)
		return err_reject(ERR_CODE_EMPTY_DOCUMENT, "");
	if (deposit->stage == LOOKING)
		return err_reject(ERR_CODE_NOT_A_PDF, "no %PDF- at the beginning");
	if (deposit->put == NULL)
		return deposit->gave_up;
	digest_end(deposit->digest, hash);
	encode_hex(hash, sizeof hash, deposit->hash);
	deposit->stage = PADDING;
	return finish(deposit);
}
