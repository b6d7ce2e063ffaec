-- Deploy esteira:ocr/handled to pg

BEGIN;
\set schema ocr
\ir ../../template/handled.sql
\ir ../../template/handled_reader.sql
COMMIT;
