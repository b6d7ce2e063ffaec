/*
 * The short texts that strangers send in headers and beside commits, each parser on the same bytes:
 * API key, traceparent, Idempotency-Key, Last-Event-ID, a commit's metadata, a time, an id, a
 * number, an address. What is taken can be written down, and says the same when it is read again.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/auth.h"
#include "api/idempotency.h"
#include "api/tail.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/id.h"
#include "frame/assign.h"
#include "frame/trace.h"
#include "port/address.h"
#include "port/web_client.h"

enum { KEY_LEN = 3 + 8 + 1 + 43 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
	if (!good)
		abort();
}

static void read_key(struct str text)
{
	struct auth_key key;
	uint8_t hash[DIGEST_BYTES];

	auth_key_of(text, &key);
	digest_sha256(text, hash);
	must(memcmp(hash, key.hash, sizeof hash) == 0);
	if (!key.well_formed)
		return;
	must(text.len == KEY_LEN && str_starts(text, STR("uk_")));
	for (size_t i = 0; i < text.len; i++)
		must(text.ptr[i] > ' ' && text.ptr[i] < 0x7f);
}

static void read_trace(struct str text)
{
	char back[64], again[64];
	struct trace trace, same;

	if (!trace_parse(text, &trace))
		return;
	trace_format(trace, back);
	must(trace_parse(str_of(back), &same));
	trace_format(same, again);
	must(strcmp(back, again) == 0 && memcmp(back, text.ptr, 53) == 0);
}

static void read_idempotency(struct str text)
{
	char key[IDEMPOTENCY_KEY_BYTES], again[IDEMPOTENCY_KEY_BYTES];

	if (idempotency_read(text, key).kind != ERR_OK)
		return;
	size_t len = strlen(key);
	must(len > 0 && len < sizeof key);
	for (size_t i = 0; i < len; i++)
		must(key[i] >= 0x20 && key[i] <= 0x7e);
	if (key[0] != '"')
		must(idempotency_read(str_of(key), again).kind == ERR_OK && !strcmp(again, key));
}

static void read_metadata(struct str text)
{
	const struct assign_input input = { .has_commit = true,
		.has_progress = true,
		.commit = 5,
		.progress = 9,
		.metadata = text,
		.cluster = STR("c"),
		.row_cluster = STR("c") };
	bool ours = assign_is_ours(text);

	must(!ours || str_starts(text, STR("esteira/")));
	must(assign_decide(&input).what == (ours ? ASSIGN_RESUME : ASSIGN_REWIND));
}

static void read_values(struct str text)
{
	char time[CLOCK_TEXT_BYTES], id_text[ID_TEXT_BYTES];
	struct id id, same;
	struct tail_id place;
	uint64_t number;
	int64_t at, again;

	if (clock_parse(text, &at)) {
		clock_format(at, time);
		must(clock_parse(str_of(time), &again));
		must(again == at || !strncmp(time, "0000", 4) || !strncmp(time, "9999", 4));
	}
	if (id_parse(text, &id)) {
		id_format(id, id_text);
		must(id_parse(str_of(id_text), &same) && id_eq(id, same));
		must(str_ieq(text, str_of(id_text)));
	}
	if (tail_id_parse(text, &place))
		must(text.len >= 3 && memchr(text.ptr, '-', text.len) != NULL);
	if (str_to_u64(text, &number))
		must(text.len > 0 &&
			(size_t)snprintf(NULL, 0, "%llu", (unsigned long long)number) <= text.len);
}

static void read_proxies(struct str text)
{
	char proxies[256], client[ADDRESS_TEXT_BYTES];
	struct address address;

	if (text.len >= sizeof proxies)
		return;
	memcpy(proxies, text.ptr, text.len);
	proxies[text.len] = '\0';
	bool good = web_client_check(proxies).kind == ERR_OK;
	web_client_find(good ? proxies : NULL, proxies, NULL, client);
	must(client[0] == '\0' || address_parse(client, &address));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* an exact copy, so that a sanitizer sees a read past the end */
	char *exact = malloc(size + (size == 0));
	const struct str text = { exact, size };

	must(exact != NULL);
	memcpy(exact, data, size);
	read_key(text);
	read_trace(text);
	read_idempotency(text);
	read_metadata(text);
	read_values(text);
	read_proxies(text);
	free(exact);
	return 0;
}
