-- Deploy esteira:audit/erasure to pg

BEGIN;
\set schema audit
\ir ../../template/erasure.sql
\ir ../../template/erasure_reader.sql
COMMIT;
