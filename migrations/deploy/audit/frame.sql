-- Deploy esteira:audit/frame to pg

BEGIN;
\set schema audit
\ir ../../template/frame.sql
COMMIT;
