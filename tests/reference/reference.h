/* What lives as long as the process. */
#ifndef ESTEIRA_REFERENCE_REFERENCE_H
#define ESTEIRA_REFERENCE_REFERENCE_H

#include "frame/service.h"
#include "gateway.h"

struct fault_memory;

struct reference_conf {
	const char *provider_url;
	int64_t timeout_ms, delay_ms, threads;
};

/* scope.state */
struct reference {
	const struct reference_conf *conf;
	struct gateway gateway;
	struct fault_memory *faults;
};

extern const struct conf_item reference_conf_items[];

/* frame/service.h */
int reference_threads(const void *conf);
struct err reference_open(struct service_context *service, const void *conf, void **ret_state)
	ERR_MUST_USE;
void reference_close(void *state);

#endif
