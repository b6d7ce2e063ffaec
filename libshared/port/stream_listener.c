/*
 * The listening side of port/stream. Closing it only stops accepting: it knows none of the streams
 * it made.
 */
#include "port/stream_listener.h"

#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "port/loop.h"
#include "port/stream.h"

enum { BACKLOG = 511, HOST_BYTES = 46 };

struct stream_listener {
	uv_tcp_t tcp;
	struct loop *loop;
	stream_accept_fn *accept;
	void *arg;
};

static void on_connection(uv_stream_t *handle, int status)
{
	struct stream_listener *listener = handle->data;

	if (status != 0)
		return;
	struct stream *stream = stream_accept(listener->loop, handle);
	if (stream != NULL)
		listener->accept(listener->arg, stream);
}

/* "host:port" or "[host]:port" with a literal address. */
static bool parse_address(const char *address, struct sockaddr_storage *ret_address)
{
	const char *colon = strrchr(address, ':');
	char host[HOST_BYTES];
	uint64_t port;

	if (colon == NULL || !str_to_u64(str_of(colon + 1), &port) || port > UINT16_MAX)
		return false;
	size_t len = (size_t)(colon - address);
	bool bracket = len >= 2 && address[0] == '[' && address[len - 1] == ']';
	if (bracket) {
		address++;
		len -= 2;
	}
	if (len >= sizeof host)
		return false;
	memcpy(host, address, len);
	host[len] = '\0';
	if (bracket)
		return uv_ip6_addr(host, (int)port, (struct sockaddr_in6 *)ret_address) == 0;
	const char *literal = strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
	return uv_ip4_addr(literal, (int)port, (struct sockaddr_in *)ret_address) == 0;
}

static void on_listener_closed(uv_handle_t *handle)
{
	free(handle->data);
}

struct err stream_listener_open(struct loop *loop, const char *address, stream_accept_fn *accept,
	void *arg, struct stream_listener **ret_listener)
{
	struct sockaddr_storage bound = { 0 };

	if (!parse_address(address, &bound))
		return err_reject(ERR_CODE_BAD_CONFIG, "the listen address is not host:port");
	struct stream_listener *listener = calloc(1, sizeof *listener);
	if (listener == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for a listener");
	*listener = (struct stream_listener){ .loop = loop, .accept = accept, .arg = arg };
	uv_tcp_init(loop_uv(loop), &listener->tcp);
	listener->tcp.data = listener;
	int code = uv_tcp_bind(&listener->tcp, (struct sockaddr *)&bound, 0);
	if (code == 0)
		code = uv_listen((uv_stream_t *)&listener->tcp, BACKLOG, on_connection);
	if (code != 0) {
		uv_close((uv_handle_t *)&listener->tcp, on_listener_closed);
		return err_fatal(ERR_CODE_BAD_CONFIG, "the listen address cannot be used");
	}
	*ret_listener = listener;
	return err_ok();
}

uint16_t stream_listener_port(const struct stream_listener *listener)
{
	struct sockaddr_storage bound = { 0 };
	int len = sizeof bound;

	uv_tcp_getsockname(&listener->tcp, (struct sockaddr *)&bound, &len);
	if (bound.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)&bound)->sin6_port);
	return ntohs(((struct sockaddr_in *)&bound)->sin_port);
}

void stream_listener_close(struct stream_listener *listener)
{
	if (listener != NULL)
		uv_close((uv_handle_t *)&listener->tcp, on_listener_closed);
}
