/*
 * A URL that url_parse takes is the same to libcurl, which dials it: scheme, host, port, no user,
 * no fragment. The first byte chooses whether the tenant is a test one.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "port/address.h"
#include "port/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
	if (!good)
		abort();
}

static void expect_part(CURLU *handle, CURLUPart part, const char *expected)
{
	char *got = NULL;
	CURLUcode code = curl_url_get(handle, part, &got, CURLU_DEFAULT_PORT);

	must(expected == NULL ? code != CURLUE_OK
			      : code == CURLUE_OK && strcmp(got, expected) == 0);
	curl_free(got);
}

/* libcurl writes an IPv6 address shorter only when that saves characters: its bits are compared. */
static void expect_host(CURLU *handle, const char *host)
{
	struct address mine, theirs;
	char *got = NULL;

	must(curl_url_get(handle, CURLUPART_HOST, &got, 0) == CURLUE_OK);
	size_t len = strlen(got);
	if (got[0] == '[') {
		got[len - 1] = '\0';
		must(address_parse(host, &mine) && address_parse(got + 1, &theirs));
		must(mine.len == 16 && theirs.len == 16);
		must(memcmp(mine.bytes, theirs.bytes, 16) == 0);
	} else {
		must(str_ieq(str_of(got), str_of(host)));
	}
	curl_free(got);
}

static void compare(const char *text, const struct url *url)
{
	CURLU *handle = curl_url();
	char port[8];

	must(handle != NULL && curl_url_set(handle, CURLUPART_URL, text, 0) == CURLUE_OK);
	snprintf(port, sizeof port, "%u", (unsigned)url->port);
	expect_host(handle, url->host);
	expect_part(handle, CURLUPART_SCHEME, url->is_tls ? "https" : "http");
	expect_part(handle, CURLUPART_PORT, port);
	expect_part(handle, CURLUPART_USER, NULL);
	expect_part(handle, CURLUPART_PASSWORD, NULL);
	expect_part(handle, CURLUPART_FRAGMENT, NULL);
	curl_url_cleanup(handle);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct url url, again;

	if (size < 1)
		return 0;
	bool is_test = data[0] % 2 == 1;
	/* an exact copy, so that a sanitizer sees a read past the end */
	char *exact = malloc(size);
	must(exact != NULL);
	memcpy(exact, data + 1, size - 1);
	bool good = url_parse((struct str){ exact, size - 1 }, is_test, &url).kind == ERR_OK;
	if (good) {
		exact[size - 1] = '\0';
		must(strlen(exact) == size - 1 && size - 1 <= URL_MAX_BYTES && url.port != 0);
		must(is_test || (url.is_tls && (url.port == 443 || url.port == 8443)));
		must(url_parse(str_of(exact), true, &again).kind == ERR_OK);
		compare(exact, &url);
	}
	free(exact);
	return 0;
}
