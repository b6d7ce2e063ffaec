-- Deploy esteira:intake/halt to pg

BEGIN;
\set schema intake
\ir ../../template/halt.sql
COMMIT;
