#include "port/transit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "base/secret.h"
#include "port/digest.h"
#include "port/http.h"
#include "port/transit_answer.h"

enum {
	CONNECT_MS = 2000,
	CALL_MS = 4000,
	BODY_MAX = 2048,
	ANSWER_MAX = 64 * 1024,
	URL_MAX = 1024,
	CONTEXT64_MAX = (SEAL_KEY_CONTEXT_BYTES + 2) / 3 * 4 + 1,
	KEY64_BYTES = (SEAL_KEY_BYTES + 2) / 3 * 4 + 1,
};

struct transit {
	struct transit_conf conf;
	struct http *http;
	struct secret *token;
	void (*asked)(void *arg, struct err e);
	void *asked_arg;
};

/* --- opening --- */

static bool is_name(const char *name)
{
	static const char others[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./";

	return *name != '\0' && strspn(name, others) == strlen(name) && strstr(name, "..") == NULL;
}

static struct err check_conf(const struct transit_conf *conf)
{
	const struct str url = str_of(conf->url);

	if (!str_starts(url, STR("https://")) || url.len > URL_MAX / 2)
		return err_fatal(ERR_CODE_BAD_CONFIG, "ESTEIRA_SEAL_TRANSIT_URL: not https://host");
	if (url.ptr[url.len - 1] == '/' || strpbrk(conf->url, "?#@ ") != NULL)
		return err_fatal(ERR_CODE_BAD_CONFIG,
			"ESTEIRA_SEAL_TRANSIT_URL: no final slash, user, query or fragment");
	if (!is_name(conf->mount) || !is_name(conf->key) || strlen(conf->mount) > URL_MAX / 8 ||
		strlen(conf->key) > URL_MAX / 8)
		return err_fatal(ERR_CODE_BAD_CONFIG,
			"ESTEIRA_SEAL_TRANSIT_MOUNT, _KEY: letters, digits, -, _, . and /");
	return err_ok();
}

struct err transit_open(
	struct loop *loop, const struct transit_conf *conf, struct transit **ret_transit)
{
	const bool has_ca = conf->ca_file != NULL && *conf->ca_file != '\0';
	const struct http_limits limits = { .connect_timeout_ms = CONNECT_MS,
		.stall_timeout_ms = CALL_MS,
		.ca_file = has_ca ? conf->ca_file : NULL };
	const struct secret_conf token = { .path = conf->token_file };

	TRY(check_conf(conf));
	struct transit *transit = calloc(1, sizeof *transit);
	if (transit == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for the key service");
	transit->conf = *conf;
	struct err e = secret_open(&token, &transit->token);
	if (e.kind == ERR_OK)
		e = http_open(loop, &limits, &transit->http);
	if (e.kind != ERR_OK) {
		transit_close(transit);
		return e;
	}
	*ret_transit = transit;
	return err_ok();
}

void transit_close(struct transit *transit)
{
	if (transit == NULL)
		return;
	transit->asked = NULL;
	http_close(transit->http);
	secret_free(transit->token);
	free(transit);
}

/* --- a call --- */

static void buf_wipe(struct buf *buf)
{
	if (buf->ptr != NULL)
		digest_wipe(buf->ptr, buf->len);
	buf_done(buf);
}

static void answer_wipe(struct http_response *answer)
{
	if (answer->body.ptr != NULL)
		digest_wipe(answer->body.ptr, answer->body.len);
	http_response_done(answer);
}

/* One try with the token as it is. */
static struct err send_once(struct transit *transit, const char *url, const struct buf *body,
	uint64_t *ret_generation, struct http_response *ret_answer)
{
	char token[SECRET_BYTES];
	const struct http_header headers[] = { { "X-Vault-Token", token },
		{ "X-Vault-Request", "true" }, { "Content-Type", "application/json" },
		{ NULL, NULL } };
	const struct http_request request = { .method = "POST",
		.url = url,
		.headers = headers,
		.body = buf_str(body),
		.response_max_bytes = ANSWER_MAX,
		.timeout_ms = CALL_MS,
		.away = ERR_CODE_KEYS_AWAY };

	secret_copy(transit->token, token, ret_generation);
	struct err e = http_call(transit->http, &request, ret_answer);
	secret_wipe(token, sizeof token);
	/* too long an answer is not about what was asked */
	return e.kind == ERR_REJECT ? err_retry(ERR_CODE_KEYS_AWAY,
					      "the answer of the key service cannot be read")
				    : e;
}

/* A refused token is read anew, once. */
static struct err post(struct transit *transit, const char *what, const struct buf *body,
	struct http_response *ret_answer)
{
	char url[URL_MAX];
	uint64_t generation = 0;

	TRY(buf_check(body));
	snprintf(url, sizeof url, "%s/v1/%s/%s/%s", transit->conf.url, transit->conf.mount, what,
		transit->conf.key);
	TRY(send_once(transit, url, body, &generation, ret_answer));
	if (ret_answer->status == 403 && secret_renew(transit->token, generation)) {
		answer_wipe(ret_answer);
		TRY(send_once(transit, url, body, &generation, ret_answer));
	}
	return transit_answer_judge(ret_answer->status, buf_str(&ret_answer->body));
}

static struct err unreadable(void)
{
	return err_retry(ERR_CODE_KEYS_AWAY, "the answer of the key service cannot be read");
}

static bool encode_context(struct str context, char *ret_text)
{
	if (context.len > SEAL_KEY_CONTEXT_BYTES)
		return false;
	encode_base64(context.ptr, context.len, ret_text);
	return true;
}

/* --- what it is asked --- */

unsigned transit_version_of(struct str text)
{
	uint64_t number = 0;
	struct str rest;

	if (!str_starts(text, STR("vault:v")) || text.len > TRANSIT_TEXT_MAX)
		return 0;
	struct str digits = str_cut((struct str){ text.ptr + 7, text.len - 7 }, ':', &rest);
	return rest.len > 0 && str_to_u64(digits, &number) && number <= INT32_MAX ? (unsigned)number
										  : 0;
}

/* It goes back as part of a JSON text. */
static bool is_ciphertext(struct str text)
{
	if (transit_version_of(text) == 0)
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] <= ' ' || text.ptr[i] > '~' || text.ptr[i] == '"' ||
			text.ptr[i] == '\\')
			return false;
	return true;
}

struct err transit_wrap(
	struct transit *transit, struct str context, const struct seal_key *key, char *ret_text)
{
	SCOPED(buf_wipe) struct buf body = BUF(BODY_MAX);
	SCOPED(answer_wipe) struct http_response answer = { 0 };
	char context64[CONTEXT64_MAX], key64[KEY64_BYTES];

	if (!encode_context(context, context64))
		return err_fatal(ERR_CODE_INTERNAL, "a context that is too long");
	encode_base64(key->bytes, sizeof key->bytes, key64);
	buf_addf(&body, "{\"plaintext\":\"%s\",\"context\":\"%s\"}", key64, context64);
	digest_wipe(key64, sizeof key64);
	TRY(post(transit, "encrypt", &body, &answer));
	struct str text = transit_answer_member(buf_str(&answer.body), STR("\"ciphertext\""));
	if (!is_ciphertext(text))
		return unreadable();
	memcpy(ret_text, text.ptr, text.len);
	ret_text[text.len] = '\0';
	return err_ok();
}

struct err transit_unwrap(
	struct transit *transit, struct str context, struct str text, struct seal_key *ret_key)
{
	SCOPED(buf_wipe) struct buf body = BUF(BODY_MAX);
	SCOPED(answer_wipe) struct http_response answer = { 0 };
	struct seal_key SCOPED(seal_key_wipe) key = { { 0 } };
	char context64[CONTEXT64_MAX];
	size_t len;

	if (!is_ciphertext(text) || !encode_context(context, context64))
		return err_reject(ERR_CODE_UNDECRYPTABLE, "not a wrapped key of the key service");
	buf_addf(&body, "{\"ciphertext\":\"%.*s\",\"context\":\"%s\"}", (int)text.len, text.ptr,
		context64);
	TRY(post(transit, "decrypt", &body, &answer));
	struct str plain = transit_answer_member(buf_str(&answer.body), STR("\"plaintext\""));
	if (!encode_base64_back(plain, key.bytes, sizeof key.bytes, &len) ||
		len != sizeof key.bytes)
		return unreadable();
	*ret_key = key;
	return err_ok();
}

struct err transit_check(struct transit *transit)
{
	SCOPED(buf_wipe) struct buf body = BUF(BODY_MAX);
	SCOPED(answer_wipe) struct http_response answer = { 0 };

	buf_addf(&body, "{\"plaintext\":\"AAAA\"}");
	struct err e = post(transit, "encrypt", &body, &answer);
	if (e.kind == ERR_OK)
		return err_fatal(ERR_CODE_BAD_CONFIG,
			"ESTEIRA_SEAL_TRANSIT_KEY: the key is not derived; make one with "
			"derived=true");
	return answer.status == 400 && transit_answer_says(buf_str(&answer.body), "context")
		       ? err_ok()
		       : e;
}

/* --- is it there? --- */

static void on_asked(void *arg, struct err result, struct http_response *response)
{
	struct transit *transit = arg;
	void (*done)(void *arg, struct err e) = transit->asked;

	transit->asked = NULL;
	if (done == NULL)
		return;
	if (result.kind == ERR_OK && response->status != 200 && response->status != 429)
		result = transit_answer_judge(response->status, (struct str){ NULL, 0 });
	done(transit->asked_arg, result);
}

struct err transit_ask(struct transit *transit, void (*done)(void *arg, struct err e), void *arg)
{
	static const struct http_callbacks callbacks = { .done = on_asked };
	struct http_call *call;
	char url[URL_MAX];
	const struct http_request request = { .method = "GET",
		.url = url,
		.response_max_bytes = ANSWER_MAX,
		.timeout_ms = CALL_MS,
		.away = ERR_CODE_KEYS_AWAY };

	if (transit->asked != NULL)
		return err_retry(ERR_CODE_KEYS_AWAY, "the answer before is still to come");
	/* a standby forwards what it is asked */
	snprintf(url, sizeof url, "%s/v1/sys/health?standbyok=true", transit->conf.url);
	transit->asked = done;
	transit->asked_arg = arg;
	struct err e = http_send(transit->http, &request, &callbacks, transit, &call);
	if (e.kind != ERR_OK)
		transit->asked = NULL;
	return e;
}
