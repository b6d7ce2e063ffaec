/*
 * Parts of a JSON text as they stand in it. What the suite only passes on (a partner's data) must
 * not go through numbers and back: 0.10 and 123456789012345678.901 come out as they came in. This
 * finds where a part begins and ends; whether it is JSON at all, codec says. Nothing is copied, no
 * answer leaves the text. Source: RFC 8259. Any thread.
 */
#ifndef ESTEIRA_MODEL_SLICE_H
#define ESTEIRA_MODEL_SLICE_H

#include "base/str.h"

/* json without the space around it (space, tab, CR, LF). */
struct str slice_trim(struct str json);

/*
 * The value of the first member called name ([a-z0-9_]) of the outermost object, without the space
 * around it; ptr NULL when there is none or json is no object. Meant for a text that codec_read
 * took; of any other the answer may be wrong.
 */
struct str slice_member(struct str json, const char *name);

/*
 * The items of the outermost array, each without the space around it: the first max of them into
 * ret_items, the number of all into *ret_count. False, and *ret_count untouched, when json is no
 * array or does not end with it. An item may still be no JSON: a bad one spoils no other.
 */
bool slice_items(struct str json, struct str *ret_items, size_t max, size_t *ret_count);

#endif
