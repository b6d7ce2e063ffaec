-- Deploy esteira:ocr/erasure to pg

BEGIN;
\set schema ocr
\ir ../../template/erasure.sql
\ir ../../template/erasure_reader.sql
COMMIT;
