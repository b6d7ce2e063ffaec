-- Deploy esteira:outreach/conveyor to pg

BEGIN;
\set schema outreach
\ir ../../template/conveyor.sql
COMMIT;
