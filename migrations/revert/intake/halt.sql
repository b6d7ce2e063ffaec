-- Revert esteira:intake/halt from pg

BEGIN;
\set schema intake
\ir ../../template/halt_revert.sql
COMMIT;
