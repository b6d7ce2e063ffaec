-- Deploy esteira:ocr/dead_letter to pg

BEGIN;
\set schema ocr
\ir ../../template/dead_letter.sql
\ir ../../template/dead_letter_reader.sql
GRANT USAGE ON SCHEMA ocr TO esteira_intake;
COMMIT;
