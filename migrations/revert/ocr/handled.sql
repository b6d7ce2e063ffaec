-- Revert esteira:ocr/handled from pg

BEGIN;
\set schema ocr
\ir ../../template/handled_reader_revert.sql
\ir ../../template/handled_revert.sql
COMMIT;
