#include "port/web_client.h"

#include <string.h>

#include "base/str.h"
#include "port/address.h"
#include "port/web_request.h"

struct prefix {
	struct address address;
	unsigned bits;
};

static bool parse(struct str text, struct address *ret_address)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff }; /* ::ffff:0:0/96 */
	char copy[ADDRESS_TEXT_BYTES];

	if (text.len >= sizeof copy || memchr(text.ptr, '\0', text.len) != NULL)
		return false;
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	if (!address_parse(copy, ret_address))
		return false;
	if (ret_address->len == 16 && memcmp(ret_address->bytes, mapped, sizeof mapped) == 0) {
		memmove(ret_address->bytes, ret_address->bytes + 12, 4);
		ret_address->len = 4;
	}
	return true;
}

static bool is_below(const struct address *address, const struct prefix *prefix)
{
	if (address->len != prefix->address.len)
		return false;
	for (unsigned bit = 0; bit < prefix->bits; bit++)
		if (((address->bytes[bit / 8] ^ prefix->address.bytes[bit / 8]) >> (7 - bit % 8)) &
			1)
			return false;
	return true;
}

static bool parse_prefix(struct str text, struct prefix *ret_prefix)
{
	struct str after;
	struct str address = str_cut(text, '/', &after);
	uint64_t bits;

	if (!parse(address, &ret_prefix->address))
		return false;
	ret_prefix->bits = ret_prefix->address.len * 8U;
	if (address.len == text.len)
		return true;
	if (!str_to_u64(after, &bits) || bits > ret_prefix->bits)
		return false;
	ret_prefix->bits = (unsigned)bits;
	/* 10.0.0.1/8 is a slip: which was meant? */
	for (unsigned bit = ret_prefix->bits; bit < ret_prefix->address.len * 8U; bit++)
		if ((ret_prefix->address.bytes[bit / 8] >> (7 - bit % 8)) & 1)
			return false;
	return true;
}

struct err web_client_check(const char *proxies)
{
	struct prefix prefix;

	for (struct str rest = str_of(proxies); rest.len > 0;)
		if (!parse_prefix(str_trim(str_cut(rest, ',', &rest)), &prefix))
			return err_reject(ERR_CODE_BAD_CONFIG,
				"a proxy is to be an address or a prefix like 10.0.0.0/8");
	return err_ok();
}

static bool is_proxy(const char *proxies, const struct address *address)
{
	struct prefix prefix;

	for (struct str rest = str_of(proxies); rest.len > 0;)
		if (parse_prefix(str_trim(str_cut(rest, ',', &rest)), &prefix) &&
			is_below(address, &prefix))
			return true;
	return false;
}

/* Takes the last entry off a list. */
static struct str cut_last(struct str *list)
{
	size_t begin = list->len;

	while (begin > 0 && list->ptr[begin - 1] != ',')
		begin--;
	struct str last = { list->ptr + begin, list->len - begin };
	list->len = begin == 0 ? 0 : begin - 1;
	return str_trim(last);
}

void web_client_find(
	const char *proxies, const char *peer, const struct web_request *request, char *ret_text)
{
	size_t field = request == NULL ? 0 : request->field_count;
	struct str list = { NULL, 0 };
	struct address address, written;

	ret_text[0] = '\0';
	if (!parse(str_of(peer), &address))
		return;
	while (is_proxy(proxies, &address)) {
		for (; list.len == 0 && field > 0; field--)
			if (str_ieq(request->fields[field - 1].name, STR("X-Forwarded-For")))
				list = request->fields[field - 1].value;
		if (list.len == 0 || !parse(cut_last(&list), &written))
			break;
		address = written;
	}
	address_format(&address, ret_text);
}
