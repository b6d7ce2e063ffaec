-- Deploy esteira:intake/dead_letter to pg

BEGIN;
\set schema intake
\ir ../../template/dead_letter.sql
COMMIT;
