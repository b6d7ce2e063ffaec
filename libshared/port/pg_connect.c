#include "port/pg_connect.h"

#include <libpq-fe.h>
#include <stdio.h>

#include "base/secret.h"
#include "port/pg.h"

/* A secret as it is now; nothing when there is none. */
struct current {
	struct secret *secret;
	uint64_t generation;
	char text[SECRET_BYTES];
};

static void load(struct secret *secret, struct current *ret_current)
{
	ret_current->secret = secret;
	ret_current->text[0] = '\0';
	if (secret != NULL)
		secret_copy(secret, ret_current->text, &ret_current->generation);
}

/* Has it changed since it was loaded, and is refused now? */
static bool is_stale(const struct current *current)
{
	return current->secret != NULL && secret_renew(current->secret, current->generation);
}

static PGconn *attempt(const struct pg_conf *conf, const char *url, const char *password)
{
	char options[192] = "";
	/* what comes behind dbname overrides what stands in it; an empty value does not count */
	const char *const keys[] = { "dbname", "password", "application_name", "options",
		"connect_timeout", "tcp_user_timeout", "keepalives_idle", NULL };

	if (!conf->pooled) /* PgBouncer refuses them, or loses them when told not to */
		snprintf(options, sizeof options,
			"-c lock_timeout=5000 -c idle_in_transaction_session_timeout=5000 "
			"-c statement_timeout=30000 -c idle_session_timeout=%d -c timezone=UTC",
			conf->idle_session_ms);
	const char *const values[] = { url, password, conf->application, options, "3", "5000", "10",
		NULL };
	return PQconnectdbParams(keys, values, 1);
}

struct pg_conn *pg_connect_open(const struct pg_conf *conf)
{
	struct current url, password;
	PGconn *conn = NULL;

	for (int tries = 0; tries < 2; tries++) {
		PQfinish(conn);
		load(conf->url == NULL ? conf->live_url : NULL, &url);
		load(conf->password, &password);
		conn = attempt(conf, conf->url == NULL ? url.text : conf->url, password.text);
		const bool news = is_stale(&url);
		/* libpq does not tell the SQLSTATE here, and it does not matter: whatever refused
		 * us, another value is worth one try */
		if (PQstatus(conn) == CONNECTION_OK || !(is_stale(&password) || news))
			break;
	}
	secret_wipe(url.text, sizeof url.text);
	secret_wipe(password.text, sizeof password.text);
	return conn;
}
