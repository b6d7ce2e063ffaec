#include "port/s3_login.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "port/s3.h"
#include "port/s3_sign.h"

struct pair {
	struct pair *older;
	struct s3_sign_key key;
	char access_key[SECRET_BYTES];
	char secret_key[SECRET_BYTES];
};

struct s3_login {
	pthread_mutex_t lock;
	const char *region;
	struct secret *access_key, *secret_key; /* NULL: fixed */
	struct pair *newest;
	uint64_t tried; /* generations that were looked at, usable or not */
};

static bool is_printable(const char *text)
{
	for (; *text != '\0'; text++)
		if (*text <= ' ' || *text >= 0x7f)
			return false;
	return true;
}

static void free_pair(struct pair *pair)
{
	secret_wipe(pair, sizeof *pair);
	free(pair);
}

static struct pair *new_pair(const struct s3_login *login)
{
	struct pair *pair = calloc(1, sizeof *pair);

	if (pair != NULL)
		pair->key = (struct s3_sign_key){ login->region, "s3", pair->access_key,
			pair->secret_key };
	return pair;
}

/* Takes ownership; what cannot be signed with does not come into force. */
static bool adopt(struct s3_login *login, struct pair *pair)
{
	if (pair->access_key[0] == '\0' || pair->secret_key[0] == '\0' ||
		!is_printable(pair->access_key) || !is_printable(pair->secret_key)) {
		free_pair(pair);
		return false;
	}
	pair->older = login->newest;
	login->newest = pair;
	return true;
}

/* The lock is held, or nobody else is there yet. False: nothing else came into force. */
static bool load(struct s3_login *login)
{
	struct pair *pair = new_pair(login);
	uint64_t access = 0, secret = 0;

	if (pair == NULL)
		return false;
	secret_copy(login->access_key, pair->access_key, &access);
	secret_copy(login->secret_key, pair->secret_key, &secret);
	login->tried = access + secret; /* of both files together */
	return adopt(login, pair);
}

static bool load_fixed(struct s3_login *login, const struct s3_conf *conf)
{
	struct str access = str_of(conf->access_key), secret = str_of(conf->secret_key);
	struct pair *pair =
		access.len < SECRET_BYTES && secret.len < SECRET_BYTES ? new_pair(login) : NULL;

	if (pair == NULL)
		return false;
	if (access.len > 0)
		memcpy(pair->access_key, access.ptr, access.len);
	if (secret.len > 0)
		memcpy(pair->secret_key, secret.ptr, secret.len);
	return adopt(login, pair);
}

struct err s3_login_open(
	const struct s3_conf *conf, const char *region, struct s3_login **ret_login)
{
	struct s3_login *login = calloc(1, sizeof *login);
	bool is_live = conf->access_key == NULL && conf->live_access_key != NULL &&
		       conf->live_secret_key != NULL;

	if (login == NULL)
		return err_fatal(ERR_CODE_OUT_OF_MEMORY, "no memory for the S3 keys");
	pthread_mutex_init(&login->lock, NULL);
	login->region = region;
	if (is_live) {
		login->access_key = conf->live_access_key;
		login->secret_key = conf->live_secret_key;
	}
	if (!(is_live ? load(login) : load_fixed(login, conf))) {
		s3_login_free(login);
		return err_reject(ERR_CODE_BAD_CONFIG, "the S3 keys are missing or not valid");
	}
	*ret_login = login;
	return err_ok();
}

void s3_login_free(struct s3_login *login)
{
	if (login == NULL)
		return;
	for (struct pair *pair = login->newest; pair != NULL;) {
		struct pair *older = pair->older;
		free_pair(pair);
		pair = older;
	}
	pthread_mutex_destroy(&login->lock);
	free(login);
}

/* The lock is held. */
static void refresh(struct s3_login *login)
{
	uint64_t generations;

	if (login->access_key == NULL)
		return;
	generations = secret_generation(login->access_key) + secret_generation(login->secret_key);
	if (generations != login->tried)
		load(login);
}

const struct s3_sign_key *s3_login_key(struct s3_login *login)
{
	pthread_mutex_lock(&login->lock);
	refresh(login);
	const struct s3_sign_key *key = &login->newest->key;
	pthread_mutex_unlock(&login->lock);
	return key;
}

bool s3_login_renew(struct s3_login *login, const struct s3_sign_key *refused)
{
	pthread_mutex_lock(&login->lock);
	if (login->access_key != NULL) {
		secret_renew(login->access_key, 0);
		secret_renew(login->secret_key, 0);
		refresh(login);
	}
	bool is_other = &login->newest->key != refused;
	pthread_mutex_unlock(&login->lock);
	return is_other;
}
