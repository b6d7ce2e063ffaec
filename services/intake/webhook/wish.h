/*
 * What a tenant says about an endpoint: the body of POST and PATCH /v1/webhooks, read and judged
 * before anything is asked. Holds no pointers, so it outlives the request.
 */
#ifndef ESTEIRA_INTAKE_WEBHOOK_WISH_H
#define ESTEIRA_INTAKE_WEBHOOK_WISH_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum {
	WISH_URL_BYTES = 2049,
	WISH_DESCRIPTION_BYTES = 256,
	WISH_BODY_MAX_BYTES = 16384,
	WISH_FILTERS_MAX = 32,
};

struct wish {
	bool has_url, has_filters, has_ordered, has_description, has_state;
	char url[WISH_URL_BYTES]; /* as it was sent: wish_check_url judges it */
	uint32_t filters;	  /* bits of wish_filter_name; 0 = all */
	bool ordered;
	bool active;				  /* of state */
	char description[WISH_DESCRIPTION_BYTES]; /* "" = none */
};

/* {"url", "filters", "ordered", "description", "state"}, each optional here, null is as absent, and
 * nothing else; state is "active" or "disabled". ERR_REJECT bad-parameter, bad-request; the message
 * names the member and may live in the arena. */
struct err wish_read(struct str body, struct arena *arena, struct wish *ret_wish) ERR_MUST_USE;

/* port/url's rules; an address in it is one that may be called (port/address), but for is_test.
 * ERR_REJECT bad-parameter; the message may live in the arena. */
struct err wish_check_url(const struct wish *wish, bool is_test, struct arena *arena) ERR_MUST_USE;

/* "document.completed", ...; NULL behind the last one. */
const char *wish_filter_name(size_t bit);

#endif
