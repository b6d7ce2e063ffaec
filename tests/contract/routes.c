/*
 * The route table of intake as JSON: what tests are generated from and the contract is held
 * against.
 *
 *   contract-routes     [{"method":..,"path":..,"scope":..,"limit":..}]; of an open route scope and
 *                       limit are null
 */
#include <stdio.h>

#include "api/front.h"
#include "api/routes.h"

static const char *scope_name(unsigned scope)
{
	for (size_t bit = 0; api_keys_scope_name(bit) != NULL; bit++)
		if (scope == 1U << bit)
			return api_keys_scope_name(bit);
	return "?";
}

int main(void)
{
	putchar('[');
	for (const struct web_route *route = routes_all; route->method != NULL; route++) {
		const struct front_gate *gate = route->extra;
		printf("%s{\"method\":\"%s\",\"path\":\"%s\",", route == routes_all ? "" : ",\n",
			route->method, route->pattern);
		if (gate->scope == 0 && gate->class == RATE_NONE)
			fputs("\"scope\":null,\"limit\":null}", stdout);
		else
			printf("\"scope\":\"%s\",\"limit\":\"%s\"}", scope_name(gate->scope),
				rate_class_name(gate->class));
	}
	puts("]");
	return 0;
}
