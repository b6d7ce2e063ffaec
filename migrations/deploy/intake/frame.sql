-- Deploy esteira:intake/frame to pg

BEGIN;
\set schema intake
\ir ../../template/frame.sql
COMMIT;
