/*
 * The route table: what is served, who may, and what it counts as. It stands alone so that tests
 * and documents are made from it.
 */
#ifndef ESTEIRA_INTAKE_API_ROUTES_H
#define ESTEIRA_INTAKE_API_ROUTES_H

#include "port/web.h"

/* Ends with method NULL. The extra of each row is a struct front_gate. */
extern const struct web_route routes_all[];

#endif
