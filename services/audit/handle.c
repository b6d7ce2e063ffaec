#include "handle.h"

#include "events.h"
#include "store.h"

struct err handle_entry_recorded(struct scope *scope, const void *payload)
{
	const struct events_entry *entry = payload;

	/* the table's CHECK would refuse it too, but with the words of the database */
	if (!events_is_action(entry->action))
		return err_reject(ERR_CODE_BAD_RECORD, "field action: not an action of the trail");
	return store_commit_entry(scope->pg, scope->event, entry);
}

struct err handle_operation_recorded(struct scope *scope, const void *payload)
{
	return store_commit_operation(scope->pg, scope->event, payload);
}
