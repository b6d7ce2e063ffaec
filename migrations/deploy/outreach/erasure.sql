-- Deploy esteira:outreach/erasure to pg

BEGIN;
\set schema outreach
\ir ../../template/erasure.sql
\ir ../../template/erasure_reader.sql

SET LOCAL ROLE esteira_owner;
\set role esteira_outreach
\set table deliveries
\ir ../../template/erase_rows.sql
COMMIT;
