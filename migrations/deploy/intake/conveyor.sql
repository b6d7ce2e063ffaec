-- Deploy esteira:intake/conveyor to pg

BEGIN;
\set schema intake
\ir ../../template/conveyor.sql
COMMIT;
