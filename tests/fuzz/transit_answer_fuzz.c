/*
 * What a key service answers: two bytes of status, then the body. A member is part of the body, and
 * only a refusal of the ciphertext itself ends what was asked: all else is tried again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "port/transit.h"
#include "port/transit_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
	if (!good)
		abort();
}

static void read_member(struct str body, struct str quoted)
{
	struct str value = transit_answer_member(body, quoted);

	if (value.ptr == NULL)
		return;
	must(value.ptr > body.ptr && value.ptr + value.len < body.ptr + body.len);
	must(value.ptr[-1] == '"' && value.ptr[value.len] == '"');
	must(value.len == 0 || memchr(value.ptr, '"', value.len) == NULL);
	must(transit_version_of(value) == 0 || str_starts(value, STR("vault:v")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	int status = data[0] * 256 + data[1];
	/* an exact copy, so that a sanitizer sees a read past the end */
	char *exact = malloc(size - 2 + (size == 2));

	must(exact != NULL);
	memcpy(exact, data + 2, size - 2);
	const struct str body = { exact, size - 2 };
	read_member(body, STR("\"ciphertext\""));
	read_member(body, STR("\"plaintext\""));
	const struct err e = transit_answer_judge(status, body);
	must((e.kind == ERR_OK) == (status == 200));
	must(e.kind != ERR_REJECT || status == 400 || status == 500);
	must(e.kind != ERR_FATAL);
	free(exact);
	return 0;
}
