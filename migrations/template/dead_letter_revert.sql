-- Undoes template/dead_letter.sql in schema :schema.

SET LOCAL ROLE esteira_owner;
SET LOCAL search_path = :"schema";

DROP VIEW v1_dead_letters;
DROP FUNCTION tenant_redrive(uuid[], text), tenant_discard(uuid[], text),
	dead_letter_redrive(uuid[], uuid, text), dead_letter_discard(uuid[], uuid, text),
	dead_letter_lock(uuid[], uuid, text);
DROP POLICY esteira_owner ON parked;
DROP POLICY esteira_owner ON dead_letter;
DROP POLICY esteira_owner_update ON dead_letter;
DROP INDEX parked_breaker_idx;

RESET ROLE;
RESET search_path;
