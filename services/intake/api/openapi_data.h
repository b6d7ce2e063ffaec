/* What openapi.py writes at build time from schemas/openapi.yaml; no NUL at the end. */
#ifndef ESTEIRA_INTAKE_API_OPENAPI_DATA_H
#define ESTEIRA_INTAKE_API_OPENAPI_DATA_H

#include <stddef.h>

extern const char openapi_data_json[];
extern const size_t openapi_data_json_len;
extern const char openapi_data_page[];
extern const size_t openapi_data_page_len;

#endif
