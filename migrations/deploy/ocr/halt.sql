-- Deploy esteira:ocr/halt to pg

BEGIN;
\set schema ocr
\ir ../../template/halt.sql
\ir ../../template/halt_reader.sql
COMMIT;
