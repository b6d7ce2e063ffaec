#include "api/auth.h"

#include <stdio.h>
#include <string.h>

#include "api/api_store.h"
#include "base/encode.h"

enum { PREFIX_LEN = 3, ID_LEN = 8, SECRET_LEN = 43, SECRET_BYTES = 32 };

static bool is_well_formed(struct str text)
{
	uint8_t id[ID_LEN / 2], secret[SECRET_BYTES];
	size_t secret_len;

	if (text.len != PREFIX_LEN + ID_LEN + 1 + SECRET_LEN || !str_starts(text, STR("uk_")) ||
		text.ptr[PREFIX_LEN + ID_LEN] != '_')
		return false;
	if (!encode_hex_back((struct str){ text.ptr + PREFIX_LEN, ID_LEN }, id, sizeof id))
		return false;
	const struct str tail = { text.ptr + PREFIX_LEN + ID_LEN + 1, SECRET_LEN };
	bool good = encode_base64url_back(tail, secret, sizeof secret, &secret_len) &&
		    secret_len == sizeof secret;
	digest_wipe(secret, sizeof secret);
	return good;
}

void auth_key_of(struct str text, struct auth_key *ret_key)
{
	ret_key->well_formed = text.ptr != NULL && is_well_formed(text);
	digest_sha256(text, ret_key->hash);
}

struct err auth_check(
	struct pg *pg, struct arena *arena, const struct auth_key *key, struct auth_who *ret_who)
{
	struct api_store_key row;

	TRY(api_store_lookup(pg, arena, key->hash, &row));
	if (!row.found || !key->well_formed || strcmp(row.tenant_state, "active") != 0)
		return err_reject(ERR_CODE_UNAUTHENTICATED, "");
	struct auth_who who = { .tenant = row.tenant,
		.scopes = row.scopes,
		.deadline_s = row.deadline_s,
		.limits = { [RATE_EXTRACT] = row.extract_per_min,
			[RATE_STATUS] = row.status_per_min,
			[RATE_DEFAULT] = row.default_per_min,
			[RATE_KEYS] = row.default_per_min } };
	snprintf(who.slug, sizeof who.slug, "%s", row.slug);
	snprintf(who.partner, sizeof who.partner, "%s", row.partner);
	snprintf(who.key_id, sizeof who.key_id, "%s", row.key_id);
	snprintf(who.lineage, sizeof who.lineage, "%s", row.lineage);
	encode_hex(key->hash, sizeof key->hash, who.key_hash);
	*ret_who = who;
	return err_ok();
}
