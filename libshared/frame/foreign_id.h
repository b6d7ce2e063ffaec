/*
 * The suite's id of an event from outside. It is derived, so that the same event sent again, by
 * REST or by Kafka, has the same id and takes effect once; and a partner can compute it beforehand.
 * Beside outbox_id, not in model/foreign, because it needs SHA-1, which port/digest has.
 */
#ifndef ESTEIRA_FRAME_FOREIGN_ID_H
#define ESTEIRA_FRAME_FOREIGN_ID_H

#include "model/tenant.h"

enum { FOREIGN_ID_PARTNER_MAX = 63 };

/*
 * UUIDv5 (RFC 9562 section 5.5) in the name space a2d46588-5da5-52c8-b14b-5ab6c0520663, which is
 * UUIDv5(DNS, "esteira.events"), of four parts in UTF-8, as they were sent (nothing is trimmed,
 * normalised or case-folded), joined by the byte 0x1F:
 *   1. the tenant's id, lower-case 8-4-4-4-12;
 *   2. the partner's slug (at most FOREIGN_ID_PARTNER_MAX bytes);
 *   3. the event's source; NULL, none sent, means "/partners/" and the slug;
 *   4. the event's id.
 * In Python: uuid.uuid5(uuid.uuid5(uuid.NAMESPACE_DNS, "esteira.events"), "\x1f".join(parts)), e.g.
 *   018f4d3a-7b1c-7000-8000-0123456789ab, acme, none, order-42 ->
 *     3166d672-5cc0-54f9-abf5-c0c569644a86
 *   018f4d3a-7b1c-7000-8000-0123456789ab, acme, urn:acme:erp:são-paulo, ação 7 ->
 *     5c51d728-2daf-514d-8707-c438aa9cd1eb
 * source and id are what model/foreign read: without control characters, so that parts never merge.
 * Any thread.
 */
struct id foreign_id(struct tenant tenant, const char *partner, const char *source, const char *id);

#endif
