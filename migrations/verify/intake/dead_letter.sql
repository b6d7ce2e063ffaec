-- Verify esteira:intake/dead_letter on pg

BEGIN;
\set schema intake
\ir ../../template/dead_letter_verify.sql
ROLLBACK;
