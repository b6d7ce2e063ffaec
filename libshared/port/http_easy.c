#include "port/http_easy.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#include "port/http.h"

enum { HEADERS_MAX = 64, HEADER_LINE_MAX = 8 * 1024 };

static bool is_clean(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

static bool add_header(struct http_easy *easy, const struct http_header *header)
{
	SCOPED(buf_done) struct buf line = BUF(HEADER_LINE_MAX);

	if (!is_clean(header->name) || !is_clean(header->value))
		return false;
	if (header->value[0] == '\0')
		buf_addf(&line, "%s;", header->name); /* libcurl's way to say: empty */
	else
		buf_addf(&line, "%s: %s", header->name, header->value);
	if (line.overflow)
		return false;
	struct curl_slist *list = curl_slist_append(easy->headers, line.ptr);
	if (list == NULL)
		return false;
	easy->headers = list;
	return true;
}

/* No 100-continue: it costs a second where a server does not know it, and a refusal stops the
 * upload as well. No content type that libcurl makes up. */
static bool add_headers(struct http_easy *easy, const struct http_header *headers)
{
	bool typed = false;

	easy->headers = curl_slist_append(NULL, "Expect:");
	if (easy->headers == NULL)
		return false;
	for (size_t i = 0; headers != NULL && headers[i].name != NULL; i++) {
		if (i == HEADERS_MAX || !add_header(easy, headers + i))
			return false;
		typed = typed || str_ieq(str_of(headers[i].name), STR("content-type"));
	}
	if (typed)
		return true;
	return curl_slist_append(easy->headers, "Content-Type:") != NULL;
}

static void set_body(
	CURL *curl, const struct http_request *request, const struct http_easy_hooks *hooks)
{
	bool bare = strcmp(request->method, "GET") == 0 || strcmp(request->method, "DELETE") == 0;

	if (request->streamed) {
		curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->stream_bytes);
		curl_easy_setopt(curl, CURLOPT_READFUNCTION, hooks->upload);
		curl_easy_setopt(curl, CURLOPT_READDATA, hooks->arg);
	} else if (strcmp(request->method, "HEAD") == 0) {
		curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
		return;
	} else if (!bare || request->body.len > 0) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
		curl_easy_setopt(
			curl, CURLOPT_POSTFIELDS, request->body.len == 0 ? "" : request->body.ptr);
	}
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
}

static void set_limits(CURL *curl, const struct http_limits *limits, int64_t timeout_ms)
{
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(curl, CURLOPT_MAXAGE_CONN, (long)((limits->idle_max_ms + 999) / 1000));
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)limits->connect_timeout_ms);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
	if (limits->ca_file != NULL)
		curl_easy_setopt(curl, CURLOPT_CAINFO, limits->ca_file);
}

/* For whatever host and port the URL has. */
static bool set_address(struct http_easy *easy, const char *address)
{
	char entry[64];
	bool v6 = strchr(address, ':') != NULL;

	int len = snprintf(entry, sizeof entry, v6 ? "::[%s]:" : "::%s:", address);
	if (!is_clean(address) || len < 0 || (size_t)len >= sizeof entry)
		return false;
	easy->dial = curl_slist_append(NULL, entry);
	return easy->dial != NULL &&
	       curl_easy_setopt(easy->curl, CURLOPT_CONNECT_TO, easy->dial) == CURLE_OK;
}

static bool is_web_url(const char *url)
{
	struct str text = str_of(url);

	return is_clean(url) &&
	       (str_starts(text, STR("http://")) || str_starts(text, STR("https://")));
}

struct err http_easy_init(struct http_easy *easy, const struct http_limits *limits,
	const struct http_request *request, const struct http_easy_hooks *hooks)
{
	if (!is_web_url(request->url) || !is_clean(request->method))
		return err_reject(ERR_CODE_BAD_PARAMETER, "not an http or https URL");
	if (!add_headers(easy, request->headers))
		return err_reject(ERR_CODE_BAD_PARAMETER, "a header that cannot be sent");
	CURL *curl = curl_easy_init();
	if (curl == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for an HTTP call");
	easy->curl = curl;
	set_limits(curl, limits, request->timeout_ms);
	curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, (long)request->once);
	/* nobody would use it again: 64 of them stayed open */
	curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, (long)request->once);
	curl_easy_setopt(curl, CURLOPT_PRIVATE, hooks->arg);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, easy->headers);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, hooks->header);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, hooks->arg);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, hooks->body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, hooks->arg);
	set_body(curl, request, hooks);
	if (request->dial != NULL && !set_address(easy, request->dial))
		return err_reject(ERR_CODE_BAD_PARAMETER, "an address that cannot be dialled");
	CURLcode code = curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	if (code == CURLE_OK)
		code = curl_easy_setopt(curl, CURLOPT_URL, request->url);
	if (code != CURLE_OK)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for an HTTP call");
	return err_ok();
}

void http_easy_done(struct http_easy *easy)
{
	if (easy->curl != NULL)
		curl_easy_cleanup(easy->curl);
	curl_slist_free_all(easy->headers);
	curl_slist_free_all(easy->dial);
	*easy = (struct http_easy){ 0 };
}
