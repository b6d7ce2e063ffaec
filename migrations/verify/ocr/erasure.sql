-- Verify esteira:ocr/erasure on pg

BEGIN;
\set schema ocr
\ir ../../template/erasure_verify.sql
ROLLBACK;
