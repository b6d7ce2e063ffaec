/* One function per event of audit.trail; frame/route.h says what a step is. */
#ifndef ESTEIRA_AUDIT_HANDLE_H
#define ESTEIRA_AUDIT_HANDLE_H

#include "frame/route.h"

/* payload: struct events_entry. ERR_REJECT bad-record: no such action. */
struct err handle_entry_recorded(struct scope *scope, const void *payload) ERR_MUST_USE;

/* payload: struct events_operation. */
struct err handle_operation_recorded(struct scope *scope, const void *payload) ERR_MUST_USE;

#endif
