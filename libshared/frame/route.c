#include "frame/route.h"

const struct route *route_find(const struct route *routes, struct str type)
{
	for (; routes->type != NULL; routes++)
		if (str_eq(str_of(routes->type->name), type))
			return routes;
	return NULL;
}
