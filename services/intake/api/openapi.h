/*
 * GET /v1/openapi.json and /docs: the contract schemas/openapi.yaml and a page that lists it,
 * turned into constants when the suite is built (openapi.py), so that what is served is what is in
 * the tree.
 */
#ifndef ESTEIRA_INTAKE_API_OPENAPI_H
#define ESTEIRA_INTAKE_API_OPENAPI_H

struct web_exchange;

void openapi_get(struct web_exchange *exchange, void *arg);
void openapi_docs(struct web_exchange *exchange, void *arg);

#endif
