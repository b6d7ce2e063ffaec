#include "answer.h"

#include <string.h>

bool answer_take(struct str bytes, struct jail_answer *ret_answer, struct str *ret_text)
{
	struct jail_answer answer;

	if (bytes.len < sizeof answer)
		return false;
	memcpy(&answer, bytes.ptr, sizeof answer);
	const struct str text = { bytes.ptr + sizeof answer, bytes.len - sizeof answer };
	if (answer.magic != JAIL_MAGIC || answer.text_bytes != text.len ||
		answer.confidence_centi > 10000 || answer.quarter_turns > 3 || !str_is_utf8(text))
		return false;
	*ret_answer = answer;
	*ret_text = text;
	return true;
}
