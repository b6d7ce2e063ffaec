-- Verify esteira:outreach/handled on pg

BEGIN;
\set schema outreach
\ir ../../template/handled_verify.sql
ROLLBACK;
