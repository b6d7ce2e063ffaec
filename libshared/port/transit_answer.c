#include "port/transit_answer.h"

#include <string.h>

/* Inside a JSON text every quote has a backslash before it, so the name in quotes is no part of
 * one. Values here are base64 and need no escapes. */
struct str transit_answer_member(struct str json, struct str quoted)
{
	const char *at = json.len == 0 ? NULL : memmem(json.ptr, json.len, quoted.ptr, quoted.len);
	const char *end = json.ptr + json.len;
	struct str rest;

	if (at == NULL)
		return (struct str){ NULL, 0 };
	at += quoted.len;
	while (at < end && (*at == ' ' || *at == ':'))
		at++;
	if (at == end || *at != '"')
		return (struct str){ NULL, 0 };
	struct str value = str_cut((struct str){ at + 1, (size_t)(end - at - 1) }, '"', &rest);
	return value.ptr + value.len == end ? (struct str){ NULL, 0 } : value;
}

bool transit_answer_says(struct str body, const char *text)
{
	return body.len > 0 && memmem(body.ptr, body.len, text, strlen(text)) != NULL;
}

/* The words with which it refuses a ciphertext, whatever the status. */
static bool is_foreign(struct str body)
{
	static const char *const words[] = { "message authentication failed", "invalid ciphertext",
		"unable to decrypt" };

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (transit_answer_says(body, words[i]))
			return true;
	return false;
}

struct err transit_answer_judge(int status, struct str body)
{
	if (status == 200)
		return err_ok();
	if ((status == 400 || status == 500) && is_foreign(body))
		return err_reject(
			ERR_CODE_UNDECRYPTABLE, "the key service does not open the wrapped key");
	if (status == 403)
		return err_retry(ERR_CODE_KEYS_REFUSED, "the key service refuses our token");
	if (status == 400 || status == 404 || status == 405)
		return err_retry(ERR_CODE_KEYS_REFUSED,
			"the key service refused the request: its mount or key is another");
	if (status == 429)
		return err_retry(ERR_CODE_KEYS_AWAY, "the key service wants fewer requests");
	if (status == 503)
		return err_retry(ERR_CODE_KEYS_AWAY, "the key service is sealed or not ready");
	return err_retry(ERR_CODE_KEYS_AWAY, "the key service answered with an error");
}
