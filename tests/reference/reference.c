#include "reference.h"

#include <stddef.h>
#include <stdlib.h>

#include "port/http.h"
#include "fault.h"

#define AT(member) offsetof(struct reference_conf, member)

const struct conf_item reference_conf_items[] = {
	{ "ESTEIRA_REFERENCE_PROVIDER_URL", CONF_TEXT, AT(provider_url), "", 0, 0, NULL,
		"http://host:port of the provider of charges." },
	{ "ESTEIRA_REFERENCE_TIMEOUT_MS", CONF_INT, AT(timeout_ms), "5000", 1, 600000, NULL,
		"How long the provider may take, milliseconds." },
	{ "ESTEIRA_REFERENCE_DELAY_MS", CONF_INT, AT(delay_ms), "0", 0, 60000, NULL,
		"How long an entry takes, milliseconds." },
	{ "ESTEIRA_REFERENCE_THREADS", CONF_INT, AT(threads), "8", 1, 64, NULL,
		"Records at once." },
	{ NULL, CONF_TEXT, 0, NULL, 0, 0, NULL, NULL },
};

int reference_threads(const void *conf)
{
	return (int)((const struct reference_conf *)conf)->threads;
}

struct err reference_open(struct service_context *service, const void *conf, void **ret_state)
{
	struct reference *reference = calloc(1, sizeof *reference);

	if (reference == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory to start with");
	*ret_state = reference; /* also after a failure: reference_close ends what was opened */
	reference->conf = conf;
	reference->gateway.url = reference->conf->provider_url;
	reference->gateway.timeout_ms = reference->conf->timeout_ms;
	reference->faults = fault_memory_new();
	if (reference->faults == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory to start with");
	/* a provider may be silent for as long as the whole call may take */
	const struct http_limits limits = { .stall_timeout_ms = reference->conf->timeout_ms };
	return http_open(service_loop(service), &limits, &reference->gateway.http);
}

void reference_close(void *state)
{
	struct reference *reference = state;

	http_close(reference->gateway.http);
	fault_memory_free(reference->faults);
	free(reference);
}
