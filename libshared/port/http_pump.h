/*
 * The glue between libcurl's multi interface and the loop: a uv_poll per socket that libcurl names,
 * one uv_timer for its timeouts. After each turn of libcurl it calls back, outside of libcurl, so
 * that finished transfers can be collected and new ones begun.
 */
#ifndef ESTEIRA_PORT_HTTP_PUMP_H
#define ESTEIRA_PORT_HTTP_PUMP_H

#include "base/err.h"
#include "port/loop.h"

struct http_pump;

/* Loop thread. multi is a CURLM, which stays the caller's; after(arg) runs after each turn.
 * ERR_FATAL without memory. */
struct err http_pump_open(struct loop *loop, void *multi, loop_fn *after, void *arg,
	struct http_pump **ret_pump) ERR_MUST_USE;

/* Loop thread, after curl_multi_cleanup (which still tells the pump of its sockets). The memory
 * goes when the loop has turned once more. NULL is fine. */
void http_pump_close(struct http_pump *pump);

#endif
