/*
 * Layers of isolation that can be switched off, one at a time, so that tests/isolation can show
 * which other one then catches what would leak. In a build without ESTEIRA_SABOTAGE (every release)
 * a switch is nothing at all.
 *
 * Names in use: session_tenant, sql_tenant (port/pg.c); record_key (frame/outbox.c), record_header
 * (model/envelope.c); object_prefix, signed_path (intake/api/upload.c); path_check (ocr/object.c);
 * document_half (ocr/store.c); tenant_key (frame/keyring.c); result_key (intake/api/result.c);
 * cursor_check (intake/api/cursor.c); key_cache (intake/api/key_cache.c).
 */
#ifndef ESTEIRA_BASE_SABOTAGE_H
#define ESTEIRA_BASE_SABOTAGE_H

#include "base/id.h"

#include <stdbool.h>

#ifdef ESTEIRA_SABOTAGE
/* Does ESTEIRA_SABOTAGE, a list of names with commas between, hold this one? Any thread. */
bool sabotage_is(const char *name);

/* Where it does, *id becomes what ESTEIRA_SABOTAGE_IDS says, "from=to" pairs with commas between;
 * an id that is in none of them stays. Any thread. */
void sabotage_swap(const char *name, struct id *id);

/* Where it does, ESTEIRA_SABOTAGE_TEXT instead of text. Any thread. */
const char *sabotage_text(const char *name, const char *text);
#else
static inline bool sabotage_is(const char *name)
{
	(void)name;
	return false;
}

static inline void sabotage_swap(const char *name, struct id *id)
{
	(void)name;
	(void)id;
}

static inline const char *sabotage_text(const char *name, const char *text)
{
	(void)name;
	return text;
}
#endif

#endif
