-- Revert esteira:ocr/erasure from pg

BEGIN;
\set schema ocr
\ir ../../template/erasure_revert.sql
COMMIT;
