/*
 * The pair of keys of port/s3, which may be renewed while requests are under way. A pair that was
 * handed out stays where it is until the end: a request or a signed path ends under the one it
 * began with. For the files of port/s3 alone.
 */
#ifndef ESTEIRA_PORT_S3_LOGIN_H
#define ESTEIRA_PORT_S3_LOGIN_H

#include "base/err.h"

struct s3_conf;
struct s3_login;
struct s3_sign_key;

/* Copies the keys of conf; region is borrowed until s3_login_free. ERR_REJECT bad-config unless
 * both are printable ASCII; ERR_FATAL out-of-memory. */
struct err s3_login_open(
	const struct s3_conf *conf, const char *region, struct s3_login **ret_login) ERR_MUST_USE;

/* Wipes all pairs. NULL is fine. */
void s3_login_free(struct s3_login *login);

/* The pair of this moment. Any thread. */
const struct s3_sign_key *s3_login_key(struct s3_login *login);

/* The storage refused that pair: looks at the files at once. True when there is another one now.
 * Any thread. */
bool s3_login_renew(struct s3_login *login, const struct s3_sign_key *refused);

#endif
