-- Undoes template/erasure.sql in schema :schema.

SET LOCAL ROLE esteira_owner;
DROP VIEW :"schema".v1_erasures;
DROP TABLE :"schema".erasures;
RESET ROLE;
