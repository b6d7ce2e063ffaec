-- Verify esteira:ocr/dead_letter on pg

BEGIN;
\set schema ocr
\ir ../../template/dead_letter_verify.sql
ROLLBACK;
