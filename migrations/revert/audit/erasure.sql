-- Revert esteira:audit/erasure from pg

BEGIN;
\set schema audit
\ir ../../template/erasure_revert.sql
COMMIT;
