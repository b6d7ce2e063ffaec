-- Revert esteira:intake/handled from pg

BEGIN;
\set schema intake
\ir ../../template/handled_revert.sql
COMMIT;
