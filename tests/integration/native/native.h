/*
 * What the programs here share: connections to the Postgres that harness.py started, and the end
 * of a Check program.
 */
#ifndef ESTEIRA_TESTS_NATIVE_H
#define ESTEIRA_TESTS_NATIVE_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include <libpq-fe.h>

#include "port/pg.h"

/* Fails the case with what the error says. */
#define NATIVE_OK(expr)                                                                            \
	do {                                                                                       \
		struct err native_err = (expr);                                                    \
		ck_assert_msg(native_err.kind == ERR_OK, "%s: %s: %s", #expr,                      \
			err_code_name(native_err.code), native_err.msg);                           \
	} while (0)

/* A connection as the service (variable ESTEIRA_TEST_PG_URL) or another of the harness's roles. */
static inline struct pg *native_pg(const char *variable)
{
	const char *url = getenv(variable);
	const struct pg_conf conf = { .url = url, .application = "native" };

	ck_assert_msg(url != NULL, "%s is not set: pytest starts this program", variable);
	return pg_new(&conf);
}

/* A script as the superuser, in the service's schema; the first value of its last answer as a
 * number, or 0. */
static inline int64_t native_sql(const char *sql)
{
	PGconn *conn = PQconnectdb(getenv("ESTEIRA_TEST_PG_SUPER_URL"));
	PGresult *result = PQexec(conn, sql);
	int64_t number = 0;

	ck_assert_msg(PQresultStatus(result) == PGRES_COMMAND_OK ||
			      PQresultStatus(result) == PGRES_TUPLES_OK,
		"%s: %s", sql, PQerrorMessage(conn));
	if (PQntuples(result) > 0 && PQgetisnull(result, 0, 0) == 0)
		number = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
	PQclear(result);
	PQfinish(conn);
	return number;
}

/* Runs the suite; for main to return. */
static inline int native_run(Suite *suite)
{
	SRunner *runner = srunner_create(suite);

	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
