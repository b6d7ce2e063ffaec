/*
 * What the parts of ocr share: made by ocr_prepare and ocr_open, handed to every step as
 * scope->state. Nothing here is written after start but by the part that owns it.
 */
#ifndef ESTEIRA_OCR_OCR_H
#define ESTEIRA_OCR_OCR_H

#include "base/err.h"
#include "frame/conf.h"
#include "frame/keyring.h"
#include "port/s3_ear.h"

#include <stdint.h>

struct alive;
struct buf;
struct document_reader;
struct http;
struct metric;
struct redis;
struct secret;
struct service_context;

/* The servers a worker calls; the CA files may be "". */
struct ocr_wires {
	const char *redis_url, *redis_ca_file;
	struct secret *redis_password;
	const char *s3_endpoint, *s3_ca_file;
};

/* ESTEIRA_OCR_*, ESTEIRA_REDIS_*, ESTEIRA_S3_*, ESTEIRA_SEAL_*: the table is in ocr.c. */
struct ocr_conf {
	struct ocr_wires wires;
	struct keyring_conf seal;
	const char *jail, *jail_path;
	int64_t jobs, recognisers;
	int64_t object_max_bytes, pages_max, pixels_max, cpu_s, child_memory_bytes, text_max_bytes;
	struct document_reader *reader; /* not in the table: ocr_prepare sets it */
};

extern const struct conf_item ocr_conf_items[];

struct ocr {
	struct service_context *service;
	const struct ocr_conf *conf;
	struct keyring *keyring;
	struct http *http;
	struct redis *redis;
	struct alive *alive;
	struct s3_ear storage;
	struct metric *documents, *pages, *page_seconds;
	_Atomic bool store_is_safe; /* what Redis keeps was checked */
};

/* The service's callbacks; see frame/service.h. */
int ocr_threads(const void *conf);
struct err ocr_prepare(void *conf, struct arena *arena) ERR_MUST_USE;
struct err ocr_open(struct service_context *service, const void *conf, void **ret_state)
	ERR_MUST_USE;
void ocr_close(void *state);
bool ocr_ready(void *state, struct buf *out);

#endif
