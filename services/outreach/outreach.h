/*
 * What the parts of outreach share: made by outreach_open, handed to every step as scope->state.
 * Nothing here is written after start but by the part that owns it.
 */
#ifndef ESTEIRA_OUTREACH_OUTREACH_H
#define ESTEIRA_OUTREACH_OUTREACH_H

#include "base/err.h"
#include "frame/conf.h"
#include "frame/keyring.h"
#include "decide.h"

struct http;
struct keep;
struct metric;
struct service_context;

/* ESTEIRA_OUTREACH_*, ESTEIRA_SEAL_*: the table is in outreach.c. */
struct outreach_conf {
	struct keyring_conf seal;
	const char *schedule;
	const char *ca_file; /* "": the system's */
	int64_t calls, timeout_ms;
};

extern const struct conf_item outreach_conf_items[];

struct outreach {
	struct service_context *service;
	const struct outreach_conf *conf;
	struct decide_schedule schedule;
	struct keyring *keyring;
	struct http *http;
	struct keep *keep;
	struct metric *attempts, *seconds;
};

/* The service's callbacks; see frame/service.h. */
int outreach_threads(const void *conf);
struct err outreach_open(struct service_context *service, const void *conf, void **ret_state)
	ERR_MUST_USE;
void outreach_stop(void *state);
void outreach_close(void *state);

#endif
