#include "frame/foreign_id.h"

#include <assert.h>
#include <stdio.h>

#include "frame/outbox.h"

struct id foreign_id(struct tenant tenant, const char *partner, const char *source, const char *id)
{
	char tenant_text[ID_TEXT_BYTES];
	char origin[sizeof "/partners/" + FOREIGN_ID_PARTNER_MAX];
	int len = snprintf(origin, sizeof origin, "/partners/%s", partner);

	assert(len >= 0 && (size_t)len < sizeof origin);
	(void)len;
	id_format(tenant.id, tenant_text);
	const struct str parts[] = {
		str_of(tenant_text),
		str_of(partner),
		str_of(source == NULL ? origin : source),
		str_of(id),
	};
	return outbox_id(parts, sizeof parts / sizeof *parts);
}
