/*
 * What the HTTP server takes and what it refuses: one request per connection.
 */
#include "port/web.h"

#include "web_bench.h"

static const struct {
	const char *what;
	const char *bytes;
	size_t len; /* 0: strlen */
} malformed[] = {
	{ "length and chunked",
		POST "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0 },
	{ "chunked and length",
		POST "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", 0 },
	{ "two lengths", POST "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde", 0 },
	{ "the same length twice", POST "Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd", 0 },
	{ "a list of lengths", POST "Content-Length: 4, 4\r\n\r\nabcd", 0 },
	{ "length 4x", POST "Content-Length: 4x\r\n\r\nabcd", 0 },
	{ "length +4", POST "Content-Length: +4\r\n\r\nabcd", 0 },
	{ "length -4", POST "Content-Length: -4\r\n\r\nabcd", 0 },
	{ "length 0x4", POST "Content-Length: 0x4\r\n\r\nabcd", 0 },
	{ "length empty", POST "Content-Length:\r\n\r\n", 0 },
	{ "length in two words", POST "Content-Length: 4 4\r\n\r\nabcd", 0 },
	{ "length too large", POST "Content-Length: 99999999999999999999\r\n\r\n", 0 },
	{ "bare LF after the request line", "GET /hello HTTP/1.1\nHost: a\r\n\r\n", 0 },
	{ "bare LF after a field", "GET /hello HTTP/1.1\r\nHost: a\n\r\n", 0 },
	{ "bare LF at the end", "GET /hello HTTP/1.1\r\nHost: a\r\n\n", 0 },
	{ "only LF", "GET /hello HTTP/1.1\nHost: a\n\n", 0 },
	{ "bare CR in a value", "GET /hello HTTP/1.1\r\n" H "X: a\rb\r\n\r\n", 0 },
	{ "bare CR in the request line", "GET /hello\r HTTP/1.1\r\n" H "\r\n", 0 },
	{ "obs-fold with a space", "GET /hello HTTP/1.1\r\n" H "X: a\r\n b\r\n\r\n", 0 },
	{ "obs-fold with a tab", "GET /hello HTTP/1.1\r\n" H "X: a\r\n\tb\r\n\r\n", 0 },
	{ "fold as the first field", "GET /hello HTTP/1.1\r\n X: a\r\n" H "\r\n", 0 },
	{ "space before the colon", "GET /hello HTTP/1.1\r\nHost : a\r\n\r\n", 0 },
	{ "tab before the colon", "GET /hello HTTP/1.1\r\n" H "X\t: a\r\n\r\n", 0 },
	{ "no colon", "GET /hello HTTP/1.1\r\n" H "X a\r\n\r\n", 0 },
	{ "no name", "GET /hello HTTP/1.1\r\n" H ": a\r\n\r\n", 0 },
	{ "bad name", "GET /hello HTTP/1.1\r\n" H "X(: a\r\n\r\n", 0 },
	{ "name with bit 8", "GET /hello HTTP/1.1\r\n" H "X\xc3\xa9: a\r\n\r\n", 0 },
	{ "no Host", "GET /hello HTTP/1.1\r\n\r\n", 0 },
	{ "two Hosts", "GET /hello HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 0 },
	{ "empty Host", "GET /hello HTTP/1.1\r\nHost:\r\n\r\n", 0 },
	{ "Host with a path", "GET /hello HTTP/1.1\r\nHost: a/b\r\n\r\n", 0 },
	{ "Host with a user", "GET /hello HTTP/1.1\r\nHost: u@a\r\n\r\n", 0 },
	{ "Host with a space", "GET /hello HTTP/1.1\r\nHost: a b\r\n\r\n", 0 },
	{ "Host with a bad port", "GET /hello HTTP/1.1\r\nHost: a:8x\r\n\r\n", 0 },
	{ "Host with a large port", "GET /hello HTTP/1.1\r\nHost: a:65536\r\n\r\n", 0 },
	{ "Host with an open bracket", "GET /hello HTTP/1.1\r\nHost: [::1\r\n\r\n", 0 },
	{ "NUL in a value", "GET /hello HTTP/1.1\r\nHost: a\0b\r\n\r\n", 35 },
	{ "NUL in the path", "GET /he\0lo HTTP/1.1\r\nHost: a\r\n\r\n", 32 },
	{ "NUL first", "\0GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", 33 },
	{ "DEL in a value", "GET /hello HTTP/1.1\r\n" H "X: a\x7f\r\n\r\n", 0 },
	{ "control character in a value", "GET /hello HTTP/1.1\r\n" H "X: a\x0b\r\n\r\n", 0 },
	{ "bit 8 in the path", "GET /h\xc3\xa9 HTTP/1.1\r\n" H "\r\n", 0 },
	{ "tab in the request line", "GET\t/hello HTTP/1.1\r\n" H "\r\n", 0 },
	{ "two spaces", "GET  /hello HTTP/1.1\r\n" H "\r\n", 0 },
	{ "space at the end of the line", "GET /hello HTTP/1.1 \r\n" H "\r\n", 0 },
	{ "a third word", "GET /hello x HTTP/1.1\r\n" H "\r\n", 0 },
	{ "HTTP/0.9", "GET /hello\r\n", 0 },
	{ "HTTP/0.9 with headers", "GET /hello\r\n" H "\r\n", 0 },
	{ "HTTP/2.0", "GET /hello HTTP/2.0\r\n" H "\r\n", 0 },
	{ "HTTP/1.2", "GET /hello HTTP/1.2\r\n" H "\r\n", 0 },
	{ "http/1.1", "GET /hello http/1.1\r\n" H "\r\n", 0 },
	{ "HTTP/1.10", "GET /hello HTTP/1.10\r\n" H "\r\n", 0 },
	{ "HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0 },
	{ "TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11 },
	{ "method that is no token", "G@T /hello HTTP/1.1\r\n" H "\r\n", 0 },
	{ "method with a colon", "GET: /hello HTTP/1.1\r\n" H "\r\n", 0 },
	{ "no method", " /hello HTTP/1.1\r\n" H "\r\n", 0 },
	{ "two Hosts in HTTP/1.0", "GET /hello HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", 0 },
	{ "CONNECT to no host", "CONNECT u@a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 0 },
	{ "another method to a host", "GET a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 0 },
	{ "two empty lines first", "\r\n\r\nGET /hello HTTP/1.1\r\n" H "\r\n", 0 },
	{ "target without a slash", "GET hello HTTP/1.1\r\n" H "\r\n", 0 },
	{ "fragment", "GET /hello#x HTTP/1.1\r\n" H "\r\n", 0 },
	{ "absolute target without host", "GET http:///hello HTTP/1.1\r\n" H "\r\n", 0 },
	{ "absolute target with a user", "GET http://u@a/hello HTTP/1.1\r\n" H "\r\n", 0 },
	{ "half an escape", "GET /hello%2 HTTP/1.1\r\n" H "\r\n", 0 },
	{ "bad escape", "GET /hello%zz HTTP/1.1\r\n" H "\r\n", 0 },
	{ "escaped NUL", "GET /hello%00 HTTP/1.1\r\n" H "\r\n", 0 },
	{ "escaped slash", "GET /items/a%2fb/x HTTP/1.1\r\n" H "\r\n", 0 },
	{ "dot segment", "GET /items/../hello HTTP/1.1\r\n" H "\r\n", 0 },
	{ "escaped dot segment", "GET /items/%2e%2E/x HTTP/1.1\r\n" H "\r\n", 0 },
	{ "escaped line end", "GET /items/a%0d%0ab/x HTTP/1.1\r\n" H "\r\n", 0 },
	{ "not UTF-8", "GET /items/%ff/x HTTP/1.1\r\n" H "\r\n", 0 },
	{ "query not UTF-8", "GET /query?q=%ff HTTP/1.1\r\n" H "\r\n", 0 },
	{ "surrogate in the query", "GET /query?a&%ed%a0%80=1 HTTP/1.1\r\n" H "\r\n", 0 },
	{ "overlong slash", "GET /items/a%c0%afb/x HTTP/1.1\r\n" H "\r\n", 0 },
	{ "overlong dot", "GET /items/%c0%ae%c0%ae/x HTTP/1.1\r\n" H "\r\n", 0 },
	{ "surrogate", "GET /items/%ed%a0%80/x HTTP/1.1\r\n" H "\r\n", 0 },
	{ "dot segment at the end", "GET /hello/. HTTP/1.1\r\n" H "\r\n", 0 },
	{ "two dots at the end", "GET /items/a/.. HTTP/1.1\r\n" H "\r\n", 0 },
	{ "dots behind a host", "GET http://a/./hello HTTP/1.1\r\n" H "\r\n", 0 },
	{ "escaped letter", "GET /%68ello HTTP/1.1\r\n" H "\r\n", 0 },
	{ "escaped hyphen", "GET /items/a%2db/x HTTP/1.1\r\n" H "\r\n", 0 },
	{ "escaped digit", "GET /items/%31/x HTTP/1.1\r\n" H "\r\n", 0 },
	{ "escaped dot", "GET /items/a%2eb/x HTTP/1.1\r\n" H "\r\n", 0 },
	{ "backslash", "GET /items\\a/x HTTP/1.1\r\n" H "\r\n", 0 },
	{ "quote", "GET /items/\"/x HTTP/1.1\r\n" H "\r\n", 0 },
	{ "angle bracket", "GET /items/<x>/x HTTP/1.1\r\n" H "\r\n", 0 },
	{ "escape of an escape's sign, half", "GET /items/%25%3/x HTTP/1.1\r\n" H "\r\n", 0 },
	{ "bad escape in the query", "GET /query?q=%g1 HTTP/1.1\r\n" H "\r\n", 0 },
	{ "coding gzip", POST "Transfer-Encoding: gzip\r\n\r\n", 0 },
	{ "coding gzip, chunked", POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 0 },
	{ "coding chunked, chunked", POST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
		0 },
	{ "two codings",
		POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		0 },
	{ "coding xchunked", POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 0 },
	{ "coding with a vertical tab",
		POST "Transfer-Encoding: \x0b"
		     "chunked\r\n\r\n0\r\n\r\n",
		0 },
	{ "chunked in HTTP/1.0",
		"POST /echo HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0 },
	{ "chunk size x", POST "Transfer-Encoding: chunked\r\n\r\nx\r\n", 0 },
	{ "chunk size +4", POST "Transfer-Encoding: chunked\r\n\r\n+4\r\nabcd\r\n0\r\n\r\n", 0 },
	{ "chunk size 0x4", POST "Transfer-Encoding: chunked\r\n\r\n0x4\r\nabcd\r\n0\r\n\r\n", 0 },
	{ "chunk size with a space",
		POST "Transfer-Encoding: chunked\r\n\r\n4 \r\nabcd\r\n0\r\n\r\n", 0 },
	{ "chunk size empty", POST "Transfer-Encoding: chunked\r\n\r\n\r\nabcd\r\n0\r\n\r\n", 0 },
	{ "chunk size too large",
		POST "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabcd\r\n0\r\n\r\n",
		0 },
	{ "chunk longer than it says",
		POST "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", 0 },
	{ "chunk with bare LF", POST "Transfer-Encoding: chunked\r\n\r\n4\nabcd\r\n0\r\n\r\n", 0 },
	{ "chunk data with bare LF", POST "Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\n0\r\n\r\n",
		0 },
	{ "last chunk with bare LF", POST "Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\n\r\n",
		0 },
	{ "expectation unknown", POST "Expect: 200-ok\r\nContent-Length: 4\r\n\r\nabcd", 0 },
};

START_TEST(refuses_malformed)
{
	static char answer[ANSWER_BYTES];
	const char *what = malformed[_i].what;
	size_t len = malformed[_i].len == 0 ? strlen(malformed[_i].bytes) : malformed[_i].len;

	talk(malformed[_i].bytes, len, answer);
	ck_assert_msg(strncmp(answer, "HTTP/1.1 400 Bad Request\r\n", 26) == 0, "%s: %.200s", what,
		answer);
	ck_assert_msg(strstr(answer, "\"code\":\"bad-request\"") != NULL, "%s", what);
	ck_assert_msg(strstr(answer, "application/problem+json") != NULL, "%s", what);
	ck_assert_msg(strstr(answer, "Connection: close\r\n") != NULL, "%s", what);
	ck_assert_msg(count_of(answer, "HTTP/1.1 ") == 1, "%s: %s", what, answer);
}
END_TEST

/* The same table, each byte on its own: a cut of the input changes nothing. */
START_TEST(refuses_malformed_byte_by_byte)
{
	static char answer[ANSWER_BYTES];
	size_t len = malformed[_i].len == 0 ? strlen(malformed[_i].bytes) : malformed[_i].len;
	int fd = dial(0);

	answer[0] = '\0';
	for (size_t i = 0; i < len; i++)
		put(fd, malformed[_i].bytes + i, 1);
	hear_all(fd, answer);
	close(fd);
	ck_assert_msg(strncmp(answer, "HTTP/1.1 400 ", 13) == 0, "%s: %.200s", malformed[_i].what,
		answer);
}
END_TEST

static const struct {
	const char *request;
	const char *status;
	const char *part; /* somewhere in the answer */
} answers[] = {
	{ "GET /hello HTTP/1.1\r\n" H CLOSE, "200", "Connection: close\r\nContent-Length: 5\r\n" },
	{ "GET /hello HTTP/1.1\r\n" H CLOSE, "200", "\r\n\r\nhello" },
	{ "\r\nGET /hello HTTP/1.1\r\n" H CLOSE, "200", "hello" },
	{ "GET http://b:80/hello?x HTTP/1.1\r\n" H CLOSE, "200", "hello" },
	{ "GET /hello HTTP/1.1\r\nhOsT:\t[::1]:80 \r\n" CLOSE, "200", "hello" },
	{ "GET /hello HTTP/1.1\r\nHost: ex%2dample.com:8080\r\n" CLOSE, "200", "hello" },
	/* Host is required of HTTP/1.1 only */
	{ "GET /hello HTTP/1.0\r\n\r\n", "200", "Connection: close" },
	{ "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "200", "Connection: close" },
	{ "HEAD /hello HTTP/1.1\r\n" H CLOSE, "200", "Content-Length: 5\r\n" },
	{ "GET /hello HTTP/1.1\r\n" H "Upgrade: h2c\r\nConnection: Upgrade, close\r\n\r\n", "200",
		"hello" },
	{ "GET /items/a%20b/x HTTP/1.1\r\n" H CLOSE, "200", "\r\n\r\na b" },
	{ "GET /items//x HTTP/1.1\r\n" H CLOSE, "404", "not-found" },
	{ "GET //hello HTTP/1.1\r\n" H CLOSE, "404", "not-found" },
	{ "GET /hello// HTTP/1.1\r\n" H CLOSE, "404", "not-found" },
	{ "GET /hello. HTTP/1.1\r\n" H CLOSE, "404", "not-found" },
	{ "GET /Hello HTTP/1.1\r\n" H CLOSE, "404", "not-found" },
	{ "GET /hello;a=b HTTP/1.1\r\n" H CLOSE, "404", "not-found" },
	{ "GET /hello%20 HTTP/1.1\r\n" H CLOSE, "404", "not-found" },
	{ "GET /hello%3F HTTP/1.1\r\n" H CLOSE, "404", "not-found" },
	/* escaped once more: it is decoded once, so this is no dot and no slash */
	{ "GET /items/%252e%252e%252f/x HTTP/1.1\r\n" H CLOSE, "200", "\r\n\r\n%2e%2e%2f" },
	{ "GET /items/a:b@c%C3%A9~%7E/x HTTP/1.1\r\n" H CLOSE, "200", "\r\n\r\na:b@c\xc3\xa9~~" },
	{ "GET /items/a/x/ HTTP/1.1\r\n" H CLOSE, "404", "not-found" },
	{ "GET / HTTP/1.1\r\n" H CLOSE, "404", "not-found" },
	{ "OPTIONS * HTTP/1.1\r\n" H CLOSE, "400", "bad-request" },
	{ "GET /query?p=1&q=a%26b+c&q=2 HTTP/1.1\r\n" H "x-test:  y \r\n" CLOSE, "200",
		"[a&b c][y][1]" },
	{ "GET /query?q=1 HTTP/1.1\r\n" H "X-Test: y\r\n" CLOSE, "200", "[1][y][1][y]" },
	{ "GET /query?q=1 HTTP/1.1\r\n" H "X-Test: y\r\nx-test: y\r\n" CLOSE, "200",
		"[1][y][1][]" },
	{ "GET /query?q HTTP/1.1\r\n" H CLOSE, "200", "[][][1]" },
	{ "GET /query?qq=1 HTTP/1.1\r\n" H CLOSE, "200", "[][][0]" },
	{ "GET /query?%71=7 HTTP/1.1\r\n" H CLOSE, "200", "[7][][1]" },
	{ "POST /hello HTTP/1.1\r\n" H CLOSE, "405", "Allow: GET, HEAD\r\n" },
	{ "OPTIONS /echo HTTP/1.1\r\n" H CLOSE, "405", "Allow: POST\r\n" },
	{ "FOO /hello HTTP/1.1\r\n" H CLOSE, "405", "Allow: GET, HEAD\r\n" },
	{ "get /hello HTTP/1.1\r\n" H CLOSE, "405", "Allow: GET, HEAD\r\n" },
	{ "CONNECT /hello HTTP/1.1\r\n" H CLOSE, "405", "Allow: GET, HEAD\r\n" },
	{ "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", "405", "Allow: \r\n" },
	{ "CONNECT [::1]:443 HTTP/1.1\r\nHost: a\r\n\r\nGET /hello HTTP/1.1\r\n" H "\r\n", "405",
		"Connection: close\r\n" },
	{ "CONNECT a HTTP/1.0\r\nContent-Length: 4\r\n\r\nabcd", "405", "Allow: \r\n" },
	{ "CONNECT /nowhere HTTP/1.1\r\n" H CLOSE, "404", "not-found" },
	{ "M-SEARCH /hello HTTP/1.1\r\n" H CLOSE, "405", "method-not-allowed" },
	{ "PRI /hello HTTP/1.1\r\n" H CLOSE, "405", "method-not-allowed" },
	{ "DESCRIBE /hello HTTP/1.1\r\n" H CLOSE, "405", "method-not-allowed" },
	{ "!#$%&'*+-.^_`|~9 /hello HTTP/1.1\r\n" H CLOSE, "405", "method-not-allowed" },
	{ "FOO /echo HTTP/1.1\r\n" H "Content-Length: 4\r\n" CLOSE "abcd", "405",
		"Allow: POST\r\n" },
	{ "FOO /nowhere HTTP/1.1\r\n" H CLOSE, "404", "not-found" },
	{ "GET /hello HTTP/1.1\r\n" H "Content-Length: 1\r\n\r\nx", "413", "body-too-large" },
	{ "GET /hello HTTP/1.1\r\n" H "Content-Length: 0\r\n" CLOSE, "200", "hello" },
	{ POST "Content-Length: 4\r\n" CLOSE "abcd", "200", "\r\n\r\nabcd" },
	{ POST "Content-Length: 0\r\n" CLOSE, "200", "Content-Length: 0\r\n" },
	{ POST CLOSE, "200", "Content-Length: 0\r\n" },
	{ POST "Transfer-Encoding: Chunked\r\n" CLOSE
	       "4\r\nabcd\r\n2;x=\"y\"\r\nef\r\n0\r\nT: 1\r\n\r\n",
		"200", "\r\n\r\nabcdef" },
	{ POST "Transfer-Encoding: chunked\r\n" CLOSE "0\r\n\r\n", "200", "Content-Length: 0\r\n" },
	{ POST "Content-Length: 1001\r\n\r\n", "413", "body-too-large" },
	{ "POST /max HTTP/1.1\r\n" H "Content-Length: 1001\r\n\r\n", "413", "body-too-large" },
	{ "POST /sink HTTP/1.1\r\n" H "Content-Length: 10\r\n" CLOSE "0123456789", "200",
		"\r\n\r\n10" },
	{ "POST /sink HTTP/1.1\r\n" H CLOSE, "200", "\r\n\r\n0" },
	{ "POST /slow HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n" CLOSE
	  "1\r\na\r\n2\r\nbc\r\n3\r\ndef\r\n0\r\n\r\n",
		"200", "\r\n\r\n6" },
	{ "POST /early HTTP/1.1\r\n" H "Content-Length: 10\r\n\r\n01", "401",
		"WWW-Authenticate: " },
	{ "POST /early HTTP/1.1\r\n" H "Content-Length: 0\r\n" CLOSE, "401",
		"{\"type\":\"urn:esteira:error:unauthenticated\",\"title\":\"A valid API key is "
		"required\","
		"\"status\":401,\"code\":\"unauthenticated\",\"detail\":\"No "
		"\\\"key\\\"\\\\.\\u000a\"}\n" },
	{ "GET /later HTTP/1.1\r\n" H CLOSE, "200", "\r\n\r\nlater" },
	{ "GET /stream HTTP/1.1\r\n" H CLOSE, "200", "\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n" },
	{ "GET /stream HTTP/1.0\r\n" H "\r\n", "200", "\r\n\r\nonetwo" },
	{ "GET /hello HTTP/1.1\r\n" H "X-Request-Id: a.B-9_\r\n" CLOSE, "200",
		"X-Request-Id: a.B-9_\r\n" },
	{ "GET /hello HTTP/1.1\r\n" H CLOSE, "200", "X-Content-Type-Options: nosniff\r\n" },
	{ "GET /hello HTTP/1.1\r\n" H CLOSE, "200", "Cache-Control: no-store\r\n" },
	{ "GET /hello HTTP/1.1\r\n" H CLOSE, "200", "Referrer-Policy: no-referrer\r\n" },
	{ "GET /hello HTTP/1.1\r\n" H CLOSE, "200",
		"Content-Security-Policy: default-src 'none'; base-uri 'none'; "
		"frame-ancestors 'none'\r\n" },
	{ "GET /hello HTTP/1.1\r\n" H CLOSE, "200", " GMT\r\n" },
	/* a body comes as it is, and as what the route takes */
	{ MEDIA CSV "Content-Encoding: gzip\r\n" CLOSE "abcd", "415",
		"without a Content-Encoding" },
	{ MEDIA CSV "Content-Encoding:\r\n" CLOSE "abcd", "415", "without a Content-Encoding" },
	{ MEDIA CSV "Content-Encoding: identity\r\nContent-Encoding: identity\r\n" CLOSE "abcd",
		"415", "unsupported-media-type" },
	{ MEDIA CSV "Content-Encoding: Identity\r\n" CLOSE "abcd", "200", "abcd" },
	{ POST "Content-Encoding: gzip\r\nContent-Length: 4\r\n" CLOSE "abcd", "200", "abcd" },
	{ "POST /media HTTP/1.1\r\n" H "Content-Length: 0\r\n" CLOSE, "200",
		"Content-Length: 0\r\n" },
	{ MEDIA CLOSE "abcd", "415", "to be one of: text/plain, text/csv." },
	{ MEDIA "Content-Type: text/html\r\n" CLOSE "abcd", "415", "unsupported-media-type" },
	{ MEDIA "Content-Type: text/plainx\r\n" CLOSE "abcd", "415", "unsupported-media-type" },
	{ MEDIA "Content-Type: text/csv\r\nContent-Type: text/csv\r\n" CLOSE "abcd", "415",
		"unsupported-media-type" },
	{ MEDIA "Content-Type:  Text/CSV ; charset=x\r\n" CLOSE "abcd", "200", "abcd" },
	{ MEDIA "Content-Type: text/plain\r\n" CLOSE "abcd", "200", "abcd" },
	/* pages of other origins: only those that are listed, each by its own name */
	{ "GET /hello HTTP/1.1\r\n" H "Origin: https://app.example\r\n" CLOSE, "200",
		"Vary: Origin\r\nAccess-Control-Allow-Origin: https://app.example\r\n"
		"Access-Control-Expose-Headers: X-Request-Id\r\n" },
	{ "GET /nowhere HTTP/1.1\r\n" H "Origin: http://localhost:3000\r\n" CLOSE, "404",
		"Access-Control-Allow-Origin: http://localhost:3000\r\n" },
	{ PREFLIGHT "Origin: https://app.example\r\n" CLOSE, "204",
		"Access-Control-Allow-Methods: POST\r\n"
		"Access-Control-Allow-Headers: X-API-Key\r\n"
		"Access-Control-Max-Age: 600\r\n" },
	{ PREFLIGHT "Origin: https://other.example\r\n" CLOSE, "405", "Allow: POST\r\n" },
	{ PREFLIGHT "Origin: null\r\n" CLOSE, "405", "Allow: POST\r\n" },
	{ PREFLIGHT CLOSE, "405", "Allow: POST\r\n" },
	{ "OPTIONS /echo HTTP/1.1\r\n" H "Origin: https://app.example\r\n" CLOSE, "405",
		"Allow: POST\r\n" },
	{ "OPTIONS /nowhere HTTP/1.1\r\n" H "Access-Control-Request-Method: GET\r\n"
	  "Origin: https://app.example\r\n" CLOSE,
		"404", "not-found" },
};

START_TEST(answers_request)
{
	static char answer[ANSWER_BYTES];
	char status[16];

	ask(answers[_i].request, answer);
	snprintf(status, sizeof status, "HTTP/1.1 %s", answers[_i].status);
	ck_assert_msg(
		strncmp(answer, status, strlen(status)) == 0, "%s%s", answers[_i].request, answer);
	ck_assert_msg(
		strstr(answer, answers[_i].part) != NULL, "%s%s", answers[_i].request, answer);
	ck_assert(strstr(answer, "Set-Cookie") == NULL);
	if (strncmp(answers[_i].request, "HEAD", 4) == 0)
		ck_assert(strcmp(answer + strlen(answer) - 4, "\r\n\r\n") == 0);
}
END_TEST

/* Nothing of it for anybody else, nor when the field comes twice. */
START_TEST(names_no_other_origin)
{
	static const char *const origins[] = { "Origin: https://other.example\r\n",
		"Origin: https://app.example.evil\r\n", "Origin: https://app.exampl\r\n",
		"Origin: http://app.example\r\n", "Origin: https://APP.example\r\n",
		"Origin: https://app.example/\r\n", "Origin: *\r\n", "Origin: null\r\n",
		"Origin:\r\n", "", "Origin: https://app.example\r\nOrigin: https://app.example\r\n",
		"Origin: https://app.example, http://localhost:3000\r\n" };
	static char answer[ANSWER_BYTES];
	char request[300];

	snprintf(request, sizeof request, "GET /hello HTTP/1.1\r\n" H "%s" CLOSE, origins[_i]);
	ask(request, answer);
	ck_assert(strncmp(answer, "HTTP/1.1 200 ", 13) == 0);
	ck_assert(strstr(answer, "Access-Control") == NULL);
	ck_assert(strstr(answer, "Vary: Origin\r\n") != NULL);
	ck_assert(strstr(answer, "Strict-Transport-Security") == NULL); /* this wire is plain */
}
END_TEST

START_TEST(takes_only_origins_to_list)
{
	static const char *const wrong[] = { "*", "https://a, *", "null", "https://", "a.example",
		"https://a/", "https://A", "https://a b", "https://u@a", "ftp://a", ",",
		"https://a,,https://b", "https://a?x" };
	struct web_conf conf = { .address = "127.0.0.1:0", .loop = server.loop };
	struct web *web = NULL;

	conf.cors.origins = wrong[_i];
	struct err e = web_open(&conf, &web);
	ck_assert_msg(e.kind == ERR_REJECT && e.code == ERR_CODE_BAD_CONFIG, "%s", wrong[_i]);
}
END_TEST

/* A request line, header block or field count just within its limit, and just beyond it. */
static const struct {
	size_t path, value, fields;
	const char *status;
} sizes[] = {
	{ 8000, 10, 1, "404" },
	{ 8179, 10, 1, "404" },
	{ 8180, 10, 1, "414" },
	{ 100000, 10, 1, "414" },
	{ 10, 16000, 1, "404" },
	{ 10, 16400, 1, "431" },
	{ 10, 90000, 1, "431" },
	{ 10, 10, 62, "404" },
	{ 10, 10, 63, "431" },
	{ 10, 300, 62, "431" },
};

START_TEST(bounds_head)
{
	static char answer[ANSWER_BYTES];
	struct buf out = BUF(1 << 20);

	buf_addf(&out, "GET /%0*d HTTP/1.1\r\n" H, (int)sizes[_i].path - 1, 0);
	for (size_t i = 0; i < sizes[_i].fields; i++)
		buf_addf(&out, "X: %0*d\r\n", (int)sizes[_i].value, 0);
	buf_addf(&out, CLOSE);
	talk(out.ptr, out.len, answer);
	buf_done(&out);
	ck_assert_msg(strncmp(answer + 9, sizes[_i].status, 3) == 0, "%zu %zu %zu: %.40s",
		sizes[_i].path, sizes[_i].value, sizes[_i].fields, answer);
}
END_TEST

START_TEST(never_ending_head_is_refused)
{
	static char answer[ANSWER_BYTES], zeros[20000];

	memset(zeros, '0', sizeof zeros);
	talk(zeros, sizeof zeros, answer);
	ck_assert(strncmp(answer, "HTTP/1.1 414 ", 13) == 0);
}
END_TEST

START_TEST(framing_may_not_be_endless)
{
	static char answer[ANSWER_BYTES], extension[40000];
	struct buf out = BUF(1 << 20);

	memset(extension, 'x', sizeof extension);
	buf_addf(&out, "POST /sink HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n1;a=");
	buf_add(&out, extension, sizeof extension);
	talk(out.ptr, out.len, answer);
	buf_done(&out);
	ck_assert(strncmp(answer, "HTTP/1.1 400 ", 13) == 0);
	await(&server.aborted, 1);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("web");
	TCase *tc = tcase_create("web");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, start, stop);
	tcase_add_loop_test(tc, refuses_malformed, 0, sizeof malformed / sizeof *malformed);
	tcase_add_loop_test(
		tc, refuses_malformed_byte_by_byte, 0, sizeof malformed / sizeof *malformed);
	tcase_add_loop_test(tc, answers_request, 0, sizeof answers / sizeof *answers);
	tcase_add_loop_test(tc, names_no_other_origin, 0, 12);
	tcase_add_loop_test(tc, takes_only_origins_to_list, 0, 13);
	tcase_add_loop_test(tc, bounds_head, 0, sizeof sizes / sizeof *sizes);
	tcase_add_test(tc, never_ending_head_is_refused);
	tcase_add_test(tc, framing_may_not_be_endless);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(suite());

	srunner_run_all(sr, CK_NORMAL);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
