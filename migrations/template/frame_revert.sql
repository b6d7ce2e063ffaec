-- Undo frame.sql. No CASCADE: what a later change put into the schema must have gone before.

DROP FUNCTION :"schema".inbox_maintain(), :"schema".role_is_safe();
DROP TABLE :"schema".inbox, :"schema".outbox, :"schema".effect, :"schema".claim, :"schema".fence,
	:"schema".progress, :"schema".replay, :"schema".parked, :"schema".dead_letter;
DROP SCHEMA :"schema";
