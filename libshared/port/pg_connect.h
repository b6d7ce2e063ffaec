/*
 * How a connection to Postgres is made: whose URL, which password, which limits the session has.
 * For port/pg.c alone.
 */
#ifndef ESTEIRA_PORT_PG_CONNECT_H
#define ESTEIRA_PORT_PG_CONNECT_H

struct pg_conf;
struct pg_conn; /* libpq's PGconn */

/* Blocks for up to 3 s for each address, twice when a secret turned out to be another. libpq's
 * answer, which may be a connection that failed; NULL without memory. */
struct pg_conn *pg_connect_open(const struct pg_conf *conf);

#endif
