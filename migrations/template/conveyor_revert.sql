-- Undoes template/conveyor.sql in schema :schema. Waiting records would be lost: there must be none.

\set service esteira_ :schema
\set frame esteira_frame_ :schema
ALTER ROLE :"service" RESET enable_seqscan;
ALTER ROLE :"service" RESET jit;
ALTER ROLE :"frame" RESET enable_seqscan;
ALTER ROLE :"frame" RESET jit;

SET LOCAL ROLE esteira_owner;
SET LOCAL search_path = :"schema";

DO $$
BEGIN
	IF EXISTS (SELECT FROM parked) OR EXISTS (SELECT FROM replay) THEN
		RAISE EXCEPTION 'records are parked or replays are on file in schema %', current_schema();
	END IF;
END
$$;

DROP TABLE attempt;
ALTER TABLE fence DROP COLUMN timeline, DROP COLUMN doubt_at;

DROP INDEX replay_waiting_idx;
ALTER TABLE replay DROP CONSTRAINT replay_range_check, DROP CONSTRAINT replay_state_check,
	DROP COLUMN kind, DROP COLUMN cluster_id, DROP COLUMN log_gone, DROP COLUMN next_offset, DROP COLUMN rate,
	DROP COLUMN plan_id, DROP COLUMN n_done, DROP COLUMN n_same, DROP COLUMN n_different,
	DROP COLUMN n_gone, DROP COLUMN n_failed, DROP COLUMN n_held, DROP COLUMN updated_at;
ALTER TABLE replay ADD COLUMN mode text NOT NULL CHECK (mode IN ('rebuild', 'verify', 'source_gone'));
ALTER TABLE replay ADD COLUMN counts jsonb NOT NULL DEFAULT '{}';
ALTER TABLE replay ADD CONSTRAINT replay_state_check
	CHECK (state IN ('held', 'open', 'paused', 'done', 'aborted'));

DROP INDEX dead_letter_open_idx, dead_letter_place_idx, dead_letter_event_idx,
	dead_letter_tenant_idx;
ALTER TABLE dead_letter DROP COLUMN redrives, DROP COLUMN blocks, DROP COLUMN updated_at,
	DROP COLUMN decided_by;

DROP INDEX parked_key_idx, parked_due_idx;
ALTER TABLE parked DROP CONSTRAINT parked_reason_check, DROP COLUMN dead_letter_id;
ALTER TABLE parked ALTER COLUMN ordering_key DROP NOT NULL;
ALTER TABLE parked ADD CONSTRAINT parked_reason_check
	CHECK (reason IN ('retry', 'blocked', 'overflow', 'hold', 'breaker'));
CREATE INDEX parked_due_idx ON parked (grp, topic, part, due_at);

RESET ROLE;
RESET search_path;
