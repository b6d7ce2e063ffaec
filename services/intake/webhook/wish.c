#include "webhook/wish.h"

#include <stdio.h>
#include <string.h>

#include "model/codec.h"
#include "model/slice.h"
#include "port/address.h"
#include "port/url.h"

enum { STATE_MAX = 16 };

static const char *const names[] = { "document.completed", "document.failed", "document.expired",
	"document.cancelled", "document.purged", "deadletter.created", NULL };

struct body {
	const char *url, *description, *state;
	bool ordered;
};

static const struct codec_field fields[] = {
	CODEC_FIELD(struct body, url, CODEC_TEXT, CODEC_PLAIN, false, WISH_URL_BYTES - 1),
	CODEC_FIELD(struct body, description, CODEC_TEXT, CODEC_PLAIN, false,
		WISH_DESCRIPTION_BYTES - 1),
	CODEC_FIELD(struct body, state, CODEC_TEXT, CODEC_PLAIN, false, STATE_MAX),
	CODEC_FIELD(struct body, ordered, CODEC_BOOL, CODEC_PLAIN, false, 0),
	CODEC_END,
};

static const struct codec_type body_type = { "webhook", sizeof(struct body), fields };

const char *wish_filter_name(size_t bit)
{
	return names[bit];
}

/* A word of the list has no escapes, so its text is its JSON without the quotes. */
static bool find_bit(struct str item, uint32_t *ret_bits)
{
	if (item.len < 2 || item.ptr[0] != '"' || item.ptr[item.len - 1] != '"')
		return false;
	const struct str word = { item.ptr + 1, item.len - 2 };
	for (size_t bit = 0; names[bit] != NULL; bit++) {
		if (str_eq(word, str_of(names[bit]))) {
			*ret_bits |= 1U << bit;
			return true;
		}
	}
	return false;
}

static struct err read_filters(struct str json, uint32_t *ret_bits)
{
	struct str items[WISH_FILTERS_MAX];
	size_t count;
	uint32_t bits = 0;

	if (!slice_items(json, items, WISH_FILTERS_MAX, &count) || count > WISH_FILTERS_MAX)
		return err_reject(
			ERR_CODE_BAD_PARAMETER, "filters is no list of at most 32 event names");
	for (size_t i = 0; i < count; i++)
		if (!find_bit(items[i], &bits))
			return err_reject(ERR_CODE_BAD_PARAMETER,
				"filters: document.completed, document.failed, document.expired, "
				"document.cancelled, document.purged, deadletter.created");
	*ret_bits = bits;
	return err_ok();
}

static struct err read_state(const char *state, bool *ret_active)
{
	bool active = strcmp(state, "active") == 0;

	if (!active && strcmp(state, "disabled") != 0)
		return err_reject(ERR_CODE_BAD_PARAMETER, "state is active or disabled");
	*ret_active = active;
	return err_ok();
}

/* The JSON of a member; ptr NULL when it is absent or null. */
static struct str find(struct str body, const char *name)
{
	const struct str value = slice_member(body, name);

	return str_eq(value, STR("null")) ? (struct str){ NULL, 0 } : value;
}

struct err wish_read(struct str body, struct arena *arena, struct wish *ret_wish)
{
	struct body read;
	struct wish wish = { .active = true };

	struct err e = codec_read_exactly(&body_type, "filters", body, arena, &read);
	if (err_is(e, ERR_CODE_BAD_RECORD))
		return err_reject(ERR_CODE_BAD_REQUEST, e.msg);
	TRY(e);
	const struct str filters = find(body, "filters");
	wish.has_url = read.url != NULL;
	wish.has_filters = filters.ptr != NULL;
	wish.has_ordered = find(body, "ordered").ptr != NULL;
	wish.has_description = read.description != NULL;
	wish.has_state = read.state != NULL;
	wish.ordered = read.ordered;
	if (wish.has_filters)
		TRY(read_filters(filters, &wish.filters));
	if (wish.has_state)
		TRY(read_state(read.state, &wish.active));
	snprintf(wish.url, sizeof wish.url, "%s", wish.has_url ? read.url : "");
	snprintf(wish.description, sizeof wish.description, "%s",
		wish.has_description ? read.description : "");
	*ret_wish = wish;
	return err_ok();
}

/* Of a test tenant it is said by each call: outreach's answer is what is being tested there. */
struct err wish_check_url(const struct wish *wish, bool is_test, struct arena *arena)
{
	struct url url;
	struct address address;

	TRY(url_parse(str_of(wish->url), is_test, &url));
	if (is_test || !address_parse(url.host, &address))
		return err_ok();
	const char *why = address_refusal(&address, false);
	if (why == NULL)
		return err_ok();
	const char *msg = arena_printf(arena, "url: no call may go to this address: %s", why);
	return msg == NULL ? arena_overflow() : err_reject(ERR_CODE_BAD_PARAMETER, msg);
}
