-- Verify esteira:ocr/handled on pg

BEGIN;
\set schema ocr
\ir ../../template/handled_verify.sql
ROLLBACK;
