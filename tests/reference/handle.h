/* One function per event and step; frame/route.h says what a step is. */
#ifndef ESTEIRA_REFERENCE_HANDLE_H
#define ESTEIRA_REFERENCE_HANDLE_H

#include "frame/route.h"

/* payload: struct events_entry */
struct err handle_entry_requested(struct scope *scope, const void *payload) ERR_MUST_USE;
struct err handle_note_requested(struct scope *scope, const void *payload) ERR_MUST_USE;

/* payload: struct events_charge */
struct err handle_charge_claimed(struct scope *scope, const void *payload) ERR_MUST_USE;
struct err handle_charge_work(struct scope *scope, const void *payload) ERR_MUST_USE;
struct err handle_charge_failed(struct scope *scope, const void *payload) ERR_MUST_USE;
struct err handle_charge_requested(struct scope *scope, const void *payload) ERR_MUST_USE;

/* payload: struct events_count */
struct err handle_count_requested(struct scope *scope, const void *payload) ERR_MUST_USE;

#endif
