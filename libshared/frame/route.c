#include "frame/route.h"

#include <string.h>

const struct route *route_find(const struct route *routes, const char *type)
{
	for (; routes->type != NULL; routes++)
		if (strcmp(routes->type->name, type) == 0)
			return routes;
	return NULL;
}
