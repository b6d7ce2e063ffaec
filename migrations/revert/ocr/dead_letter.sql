-- Revert esteira:ocr/dead_letter from pg

BEGIN;
\set schema ocr
REVOKE USAGE ON SCHEMA ocr FROM esteira_intake;
\ir ../../template/dead_letter_reader_revert.sql
\ir ../../template/dead_letter_revert.sql
COMMIT;
