-- Deploy esteira:outreach/frame to pg

BEGIN;
\set schema outreach
\ir ../../template/frame.sql
COMMIT;
