/*
 * Any text as a webhook secret: what is taken is written back as it was, so each key has one text;
 * and as the header of signatures, of which none is good but the one that was made.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "port/webhook_sign.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
	if (!good)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct webhook_sign_key fixed = { .bytes = { 1, 2, 3 }, .len = 32 };
	struct webhook_sign_key key;
	struct str text = { (const char *)data, size };
	struct webhook_sign_message message = { STR("id"), 1614265330, text };
	char back[WEBHOOK_SIGN_SECRET_BYTES], value[WEBHOOK_SIGN_VALUE_BYTES];

	if (webhook_sign_parse(text, &key).kind == ERR_OK) {
		must(key.len >= WEBHOOK_SIGN_KEY_MIN && key.len <= WEBHOOK_SIGN_KEY_MAX);
		webhook_sign_format(&key, back);
		must(str_eq(text, str_of(back)));
		must(webhook_sign_value(&key, 1, &message, value).kind == ERR_OK);
		must(webhook_sign_verify(&key, 1, &message, str_of(value), 1614265330).kind ==
			ERR_OK);
	}
	must(webhook_sign_verify(&fixed, 1, &message, text, 1614265330).kind == ERR_REJECT);
	message.id = text;
	if (webhook_sign_value(&fixed, 1, &message, value).kind == ERR_OK)
		must(size > 0 && memchr(data, '.', size) == NULL);
	return 0;
}
