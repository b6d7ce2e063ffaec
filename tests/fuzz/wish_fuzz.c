/*
 * Any bytes as the body of POST /v1/webhooks: what is taken is bounded text, and a URL that passes
 * names no address of ours.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "port/address.h"
#include "port/url.h"
#include "webhook/wish.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
	if (!good)
		abort();
}

static void check_url(const struct wish *wish, struct arena *arena)
{
	struct address address;
	struct url url;

	if (wish_check_url(wish, false, arena).kind != ERR_OK)
		return;
	must(url_parse(str_of(wish->url), false, &url).kind == ERR_OK && url.is_tls);
	must(!address_parse(url.host, &address) || address_refusal(&address, false) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new(1 << 20);
	struct wish wish;

	if (size <= WISH_BODY_MAX_BYTES &&
		wish_read((struct str){ (const char *)data, size }, arena, &wish).kind == ERR_OK) {
		must(memchr(wish.url, '\0', sizeof wish.url) != NULL);
		must(memchr(wish.description, '\0', sizeof wish.description) != NULL);
		must(str_is_utf8(str_of(wish.description)));
		if (wish.has_url)
			check_url(&wish, arena);
	}
	arena_free(arena);
	return 0;
}
