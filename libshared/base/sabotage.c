/*
 * What is off is in the environment, from a process's start to its end.
 */
#include "base/sabotage.h"

#ifdef ESTEIRA_SABOTAGE

#include <stdlib.h>

bool sabotage_is(const char *name)
{
	struct str rest = str_of(getenv("ESTEIRA_SABOTAGE"));

	while (rest.len > 0)
		if (str_eq(str_cut(rest, ',', &rest), str_of(name)))
			return true;
	return false;
}

void sabotage_swap(const char *name, struct id *id)
{
	struct str rest = str_of(getenv("ESTEIRA_SABOTAGE_IDS"));
	struct id from, to;

	if (!sabotage_is(name))
		return;
	while (rest.len > 0) {
		struct str target, pair = str_cut(rest, ',', &rest);
		struct str source = str_cut(pair, '=', &target);
		if (id_parse(source, &from) && id_parse(target, &to) && id_eq(from, *id)) {
			*id = to;
			return;
		}
	}
}

const char *sabotage_text(const char *name, const char *text)
{
	const char *other = getenv("ESTEIRA_SABOTAGE_TEXT");

	return other != NULL && sabotage_is(name) ? other : text;
}

#endif
