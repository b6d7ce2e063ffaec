#include "request.h"

#include <string.h>

/* Our worker is trusted, but a broken build of it should fail here and not in a child. */
bool request_take(struct str bytes, struct jail_request *ret_request)
{
	struct jail_request request;

	if (bytes.len != sizeof request)
		return false;
	memcpy(&request, bytes.ptr, sizeof request);
	*ret_request = request;
	return request.magic == JAIL_MAGIC && request.task < JAIL_TASK_COUNT &&
	       request.page_first >= 1 && request.page_first <= request.page_last &&
	       request.page_last <= JAIL_PAGE_MAX && request.dpi >= 1 &&
	       request.dpi <= JAIL_DPI_MAX && request.smooth <= JAIL_SMOOTH_MAX &&
	       request.turns <= JAIL_TURNS_UNKNOWN && request.cpu_s >= 1 &&
	       request.memory_bytes >= 1;
}
