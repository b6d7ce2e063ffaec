-- What parking, redrive, replay and the attempt journal need, in schema :schema. A change to the
-- frame's tables of template/frame.sql: the same for every service.

\set service esteira_ :schema
\set frame esteira_frame_ :schema

-- Statements are prepared once a connection, and the tables they are about grow from nothing to
-- 100,000 rows and back within minutes: a plan made for an empty inbox scans a full one for every
-- batch. All their look-ups have an index; without statistics the planner has to be told so. jit
-- goes with it, because a plan that has no index costs so much then that it would be compiled.
ALTER ROLE :"service" SET enable_seqscan = off;
ALTER ROLE :"service" SET jit = off;
ALTER ROLE :"frame" SET enable_seqscan = off;
ALTER ROLE :"frame" SET jit = off;

SET LOCAL esteira.schema = :'schema';
SET LOCAL ROLE esteira_owner;
SET LOCAL search_path = :"schema";

-- Waiting records: in order of (off, id) within their key; a row may run when it and every row of
-- its key before it is due. 'hold' is a tombstone (due never, no payload) that keeps a key waiting
-- behind its dead letter; 'redrive' is a dead letter on its way back.
ALTER TABLE parked DROP CONSTRAINT parked_reason_check;
ALTER TABLE parked ADD CONSTRAINT parked_reason_check
	CHECK (reason IN ('retry', 'blocked', 'overflow', 'hold', 'breaker', 'redrive', 'suspended'));
ALTER TABLE parked ALTER COLUMN ordering_key SET NOT NULL;
ALTER TABLE parked ADD COLUMN dead_letter_id uuid;
DROP INDEX parked_due_idx;
-- One index for a record (which is parked once, however often its parking is tried) and for the order
-- of its key: a second one that also led with the partition was taken for the wrong questions
-- whenever the table had been analysed while it was empty.
CREATE UNIQUE INDEX parked_key_idx
	ON parked (grp, topic, part, tenant_id, ordering_key, off, epoch) INCLUDE (id, reason);
CREATE INDEX parked_due_idx ON parked (grp, topic, part, due_at, id)
	WHERE reason NOT IN ('blocked', 'overflow');

ALTER TABLE dead_letter ADD COLUMN redrives int NOT NULL DEFAULT 0 CHECK (redrives >= 0);
ALTER TABLE dead_letter ADD COLUMN blocks boolean NOT NULL DEFAULT false;
ALTER TABLE dead_letter ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now();
ALTER TABLE dead_letter ADD COLUMN decided_by text;
CREATE INDEX dead_letter_tenant_idx ON dead_letter (tenant_id, created_at DESC, id DESC);
CREATE INDEX dead_letter_event_idx ON dead_letter (grp, event_id);
CREATE INDEX dead_letter_place_idx ON dead_letter (grp, topic, part, off);
CREATE INDEX dead_letter_open_idx ON dead_letter (error_class, updated_at) WHERE state = 'open';

-- A replay: a rewind or skip by the stock tool, or a side replay of ours. The epoch of a record is
-- the highest id of its group whose range and tenant contain it, among rewinds and sides that were
-- ever open; rows are never deleted. 'held' waits for confirmation, 'refused' was never opened.
ALTER TABLE replay DROP CONSTRAINT replay_state_check;
ALTER TABLE replay DROP CONSTRAINT replay_mode_check;
ALTER TABLE replay DROP COLUMN mode;
ALTER TABLE replay DROP COLUMN counts;
ALTER TABLE replay ADD COLUMN kind text NOT NULL DEFAULT 'rewind'
	CHECK (kind IN ('rewind', 'skip', 'side'));
ALTER TABLE replay ADD CONSTRAINT replay_state_check
	CHECK (state IN ('held', 'open', 'paused', 'done', 'aborted', 'refused'));
ALTER TABLE replay ADD COLUMN cluster_id text;
-- the log it was of is gone, its offsets are those of other records now: it counts for no epoch
ALTER TABLE replay ADD COLUMN log_gone boolean NOT NULL DEFAULT false;
ALTER TABLE replay ADD COLUMN next_offset bigint;
ALTER TABLE replay ADD COLUMN rate int CHECK (rate > 0);
ALTER TABLE replay ADD COLUMN plan_id uuid;
ALTER TABLE replay ADD COLUMN n_done bigint NOT NULL DEFAULT 0;
ALTER TABLE replay ADD COLUMN n_same bigint NOT NULL DEFAULT 0;
ALTER TABLE replay ADD COLUMN n_different bigint NOT NULL DEFAULT 0;
ALTER TABLE replay ADD COLUMN n_gone bigint NOT NULL DEFAULT 0;
ALTER TABLE replay ADD COLUMN n_failed bigint NOT NULL DEFAULT 0;
ALTER TABLE replay ADD COLUMN n_held bigint NOT NULL DEFAULT 0;
ALTER TABLE replay ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now();
ALTER TABLE replay ADD CONSTRAINT replay_range_check CHECK (from_offset <= to_offset);
-- the same move is opened once, however often its opening is tried
CREATE UNIQUE INDEX replay_waiting_idx ON replay (grp, topic, part, kind, from_offset)
	WHERE state IN ('held', 'open') AND kind <> 'side';

-- Of the database when the partition was taken: after a failover every owner's number is old.
ALTER TABLE fence ADD COLUMN timeline bigint;
ALTER TABLE fence ADD COLUMN doubt_at timestamptz;

-- Attempts of records that were in hand when a process died: written before they are handled again.
CREATE TABLE attempt (
	grp text NOT NULL,
	topic text NOT NULL,
	part int NOT NULL,
	off bigint NOT NULL,
	count int NOT NULL DEFAULT 1 CHECK (count > 0),
	updated_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (grp, topic, part, off)
);
ALTER TABLE attempt ENABLE ROW LEVEL SECURITY;
ALTER TABLE attempt FORCE ROW LEVEL SECURITY;
CREATE POLICY :"service" ON attempt TO :"service" USING (true) WITH CHECK (true);
CREATE POLICY :"frame" ON attempt TO :"frame" USING (true) WITH CHECK (true);
CREATE POLICY esteira_operator ON attempt FOR SELECT TO esteira_operator USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON attempt TO :"service", :"frame";
GRANT SELECT ON attempt TO esteira_operator;
GRANT SELECT (dead_letter_id) ON parked TO esteira_operator;
GRANT SELECT (redrives, blocks, updated_at, decided_by) ON dead_letter TO esteira_operator;

RESET ROLE;
RESET search_path;
