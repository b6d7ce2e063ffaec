/* The event tables of libshared/frame, as a service shows its own. */
#include "frame/deadletter.h"
#include "frame/operation.h"

const struct codec_type *const *events_all(void);

const struct codec_type *const *events_all(void)
{
	static const struct codec_type *const all[] = { &operation_recorded, &deadletter_created,
		NULL };

	return all;
}
