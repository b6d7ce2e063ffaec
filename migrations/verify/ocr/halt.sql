-- Verify esteira:ocr/halt on pg

BEGIN;
\set schema ocr
\ir ../../template/halt_verify.sql
ROLLBACK;
