#include "who.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "frame/operation.h"

enum { HOST_MAX = 128 };

struct err who_read(const struct command_call *call, const char **ret_who)
{
	const char *who = command_value(call, "--who"), *name = getenv("SUDO_USER");
	char host[HOST_MAX] = "";

	if (who == NULL) {
		if (name == NULL || name[0] == '\0')
			name = getenv("USER");
		if (gethostname(host, sizeof host - 1) != 0)
			host[0] = '\0';
		who = arena_printf(call->arena, "%.100s@%s",
			name == NULL || name[0] == '\0' ? "operator" : name, host);
	}
	if (who == NULL)
		return arena_overflow();
	if (who[0] == '\0' || strlen(who) > OPERATION_TEXT_MAX || !str_is_utf8(str_of(who)))
		return err_reject(ERR_CODE_BAD_PARAMETER, "--who: 1 to 255 bytes of UTF-8");
	*ret_who = who;
	return err_ok();
}
