-- Deploy esteira:intake/handled to pg

BEGIN;
\set schema intake
\ir ../../template/handled.sql
COMMIT;
