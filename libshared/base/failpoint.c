/*
 * The one place a process has is in its environment, from its start to its end; the calls of it are
 * counted here. A name that nobody reaches does nothing, so the chaos suite checks that the process
 * died.
 */
#include "base/failpoint.h"

#ifdef ESTEIRA_FAILPOINTS

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/str.h"

void failpoint_reach(const char *name)
{
	static _Atomic uint64_t reached;
	const char *armed = getenv("ESTEIRA_FAILPOINT");
	struct str number;
	uint64_t wanted;

	if (armed == NULL)
		return;
	struct str word = str_cut(str_of(armed), ':', &number);
	if (str_eq(word, str_of(name)) && str_to_u64(number, &wanted) &&
		atomic_fetch_add(&reached, 1) + 1 == wanted)
		raise(SIGKILL);
}

#endif
