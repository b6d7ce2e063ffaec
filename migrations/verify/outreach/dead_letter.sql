-- Verify esteira:outreach/dead_letter on pg

BEGIN;
\set schema outreach
\ir ../../template/dead_letter_verify.sql
ROLLBACK;
