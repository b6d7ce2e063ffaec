#include "model/partition.h"

#include <assert.h>

static uint32_t little_endian(const unsigned char *p, size_t len)
{
	uint32_t number = 0;

	for (size_t i = 0; i < len; i++)
		number |= (uint32_t)p[i] << (8 * i);
	return number;
}

uint32_t partition_murmur2(struct str bytes)
{
	const uint32_t m = 0x5bd1e995;
	const unsigned char *p = (const unsigned char *)bytes.ptr;
	uint32_t h = 0x9747b28c ^ (uint32_t)bytes.len;
	size_t left = bytes.len;

	for (; left >= 4; left -= 4, p += 4) {
		uint32_t k = little_endian(p, 4) * m;
		h = h * m ^ (k ^ k >> 24) * m;
	}
	if (left > 0)
		h = (h ^ little_endian(p, left)) * m;
	h = (h ^ h >> 13) * m;
	return (h ^ h >> 15) & 0x7fffffff;
}

int32_t partition_of(struct tenant tenant, struct str ordering_key, uint32_t spread, uint32_t count)
{
	char key[ID_TEXT_BYTES];

	assert(spread >= 1 && count >= 1);
	if (spread > count)
		spread = count;
	id_format(tenant.id, key);
	uint64_t base = partition_murmur2(str_of(key));
	return (int32_t)((base + partition_murmur2(ordering_key) % spread) % count);
}
