#include "base/id.h"

#include "base/clock.h"
#include "base/encode.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct id id_v7(void)
{
	struct id id;
	uint64_t ms = (uint64_t)clock_wall_ms();

	if (getrandom(id.bytes, sizeof id.bytes, 0) != (ssize_t)sizeof id.bytes)
		abort();
	for (int i = 0; i < 6; i++)
		id.bytes[i] = (uint8_t)(ms >> (40 - 8 * i));
	id.bytes[6] = (uint8_t)((id.bytes[6] & 0x0f) | 0x70);
	id.bytes[8] = (uint8_t)((id.bytes[8] & 0x3f) | 0x80);
	return id;
}

static const size_t group_bytes[] = { 4, 2, 2, 2, 6 };

void id_format(struct id id, char *ret_text)
{
	const uint8_t *from = id.bytes;

	for (size_t i = 0; i < sizeof group_bytes / sizeof *group_bytes; i++) {
		encode_hex(from, group_bytes[i], ret_text);
		from += group_bytes[i];
		ret_text += 2 * group_bytes[i];
		*ret_text++ = '-';
	}
	ret_text[-1] = '\0';
}

bool id_parse(struct str text, struct id *ret_id)
{
	struct id id;
	uint8_t *to = id.bytes;

	if (text.len != ID_TEXT_BYTES - 1)
		return false;
	for (size_t i = 0; i < sizeof group_bytes / sizeof *group_bytes; i++) {
		struct str group = { text.ptr, 2 * group_bytes[i] };
		if (!encode_hex_back(group, to, group_bytes[i]))
			return false;
		to += group_bytes[i];
		text.ptr += group.len;
		if (to < id.bytes + sizeof id.bytes && *text.ptr++ != '-')
			return false;
	}
	*ret_id = id;
	return true;
}

bool id_eq(struct id a, struct id b)
{
	return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

bool id_is_nil(struct id id)
{
	return id_eq(id, (struct id){ { 0 } });
}
