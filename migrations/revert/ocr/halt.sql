-- Revert esteira:ocr/halt from pg

BEGIN;
\set schema ocr
\ir ../../template/halt_reader_revert.sql
\ir ../../template/halt_revert.sql
COMMIT;
