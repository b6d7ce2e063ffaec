-- Undoes template/handled.sql in schema :schema.

SET LOCAL ROLE esteira_owner;
DROP VIEW :"schema".v1_handled;
RESET ROLE;
