-- The schema :schema and the frame's tables in it: the same for every service.
--
-- Frame tables carry tenant_id but no tenant policy: a batch of the consumer, the relay and the
-- purger cross tenants. Once released this file is frozen; a change is a new one for each schema.

CREATE SCHEMA :"schema" AUTHORIZATION esteira_owner;

\set service esteira_ :schema
\set frame esteira_frame_ :schema
SET LOCAL esteira.schema = :'schema';
SET LOCAL ROLE esteira_owner;
SET LOCAL search_path = :"schema";

GRANT USAGE ON SCHEMA :"schema" TO :"service", :"frame", esteira_operator;

-- What was handled: one row a record, written in the transaction of its effects. outputs keeps
-- 8 bytes of payload hash per output of epoch 0, for replays. No default partition: a row outside
-- the weeks that inbox_maintain() made must fail, not hide.
CREATE TABLE inbox (
	grp text NOT NULL,
	event_id uuid NOT NULL,
	epoch bigint NOT NULL DEFAULT 0,
	tenant_id uuid NOT NULL,
	handled_at timestamptz NOT NULL DEFAULT now(),
	outputs bytea,
	PRIMARY KEY (grp, event_id, epoch, handled_at)
) PARTITION BY RANGE (handled_at);

-- What is to be published; gone when the broker has it. Only the dead letter of a record that
-- named no event or tenant has none here.
CREATE TABLE outbox (
	seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	event_id uuid,
	tenant_id uuid,
	topic text NOT NULL,
	part int NOT NULL,
	ordering_key text,
	key bytea,
	headers bytea,
	payload bytea,
	created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX outbox_event_id_idx ON outbox (event_id);

-- Effects outside the database, by business key and without the epoch: a replay repeats none.
CREATE TABLE effect (
	tenant_id uuid NOT NULL,
	kind text NOT NULL,
	effect_key text NOT NULL,
	request_hash bytea,
	state text NOT NULL DEFAULT 'intent'
		CHECK (state IN ('intent', 'sending', 'confirmed', 'failed', 'unknown')),
	due_at timestamptz NOT NULL DEFAULT now(),
	attempts int NOT NULL DEFAULT 0 CHECK (attempts >= 0),
	lease_until timestamptz,
	provider_ref text,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, kind, effect_key)
);
CREATE INDEX effect_due_idx ON effect (kind, due_at)
	WHERE state IN ('intent', 'sending', 'unknown');

-- Who works on a record of a work route, and until when.
CREATE TABLE claim (
	grp text NOT NULL,
	event_id uuid NOT NULL,
	epoch bigint NOT NULL DEFAULT 0,
	tenant_id uuid NOT NULL,
	owner text NOT NULL,
	lease_until timestamptz NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (grp, event_id, epoch)
);
CREATE INDEX claim_owner_idx ON claim (owner);

-- Bumped at assignment, read FOR SHARE first in every transaction: a zombie's number is old.
CREATE TABLE fence (
	grp text NOT NULL,
	topic text NOT NULL,
	part int NOT NULL,
	fence bigint NOT NULL DEFAULT 0,
	PRIMARY KEY (grp, topic, part)
);

-- How far a partition is, beside what Kafka's commit says.
CREATE TABLE progress (
	grp text NOT NULL,
	topic text NOT NULL,
	part int NOT NULL,
	cluster_id text,
	next_offset bigint,
	frontier bigint,
	clean boolean NOT NULL DEFAULT false,
	updated_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (grp, topic, part)
);

-- Ranges to be handled again; the highest id that contains a record is its epoch.
CREATE TABLE replay (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	grp text NOT NULL,
	topic text NOT NULL,
	part int NOT NULL,
	from_offset bigint NOT NULL,
	to_offset bigint NOT NULL,
	tenant_id uuid,
	mode text NOT NULL CHECK (mode IN ('rebuild', 'verify', 'source_gone')),
	state text NOT NULL CHECK (state IN ('held', 'open', 'paused', 'done', 'aborted')),
	who text,
	reason text,
	counts jsonb NOT NULL DEFAULT '{}',
	created_at timestamptz NOT NULL DEFAULT now(),
	closed_at timestamptz
);
CREATE INDEX replay_range_idx ON replay (grp, topic, part);

-- Records that wait beside their partition, in order per ordering key.
CREATE TABLE parked (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	grp text NOT NULL,
	topic text NOT NULL,
	part int NOT NULL,
	off bigint NOT NULL,
	epoch bigint NOT NULL DEFAULT 0,
	event_id uuid NOT NULL,
	tenant_id uuid NOT NULL,
	ordering_key text,
	due_at timestamptz NOT NULL,
	attempts int NOT NULL DEFAULT 0 CHECK (attempts >= 0),
	reason text NOT NULL CHECK (reason IN ('retry', 'blocked', 'overflow', 'hold', 'breaker')),
	headers bytea,
	key bytea,
	payload bytea,
	error_code text,
	error_message text,
	first_failed_at timestamptz,
	created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX parked_due_idx ON parked (grp, topic, part, due_at);

-- Records given up, byte for byte as they came. One that could not be read may have no event id
-- and no tenant.
CREATE TABLE dead_letter (
	id uuid PRIMARY KEY,
	grp text NOT NULL,
	topic text NOT NULL,
	part int NOT NULL,
	off bigint NOT NULL,
	epoch bigint NOT NULL DEFAULT 0,
	event_id uuid,
	tenant_id uuid,
	ordering_key text,
	error_class text NOT NULL,
	error_code text,
	error_message text,
	attempts int NOT NULL DEFAULT 0 CHECK (attempts >= 0),
	first_failed_at timestamptz,
	handler_version text,
	state text NOT NULL DEFAULT 'open'
		CHECK (state IN ('open', 'redriving', 'redriven', 'discarded')),
	headers bytea,
	key bytea,
	payload bytea,
	created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX dead_letter_list_idx ON dead_letter (created_at DESC, id DESC);

DO $$
DECLARE
	home text := current_setting('esteira.schema');
	tbl text;
	role text;
BEGIN
	FOREACH tbl IN ARRAY ARRAY['inbox', 'outbox', 'effect', 'claim', 'fence', 'progress', 'replay',
		'parked', 'dead_letter']
	LOOP
		EXECUTE format('ALTER TABLE %I.%I ENABLE ROW LEVEL SECURITY', home, tbl);
		EXECUTE format('ALTER TABLE %I.%I FORCE ROW LEVEL SECURITY', home, tbl);
		FOREACH role IN ARRAY ARRAY['esteira_' || home, 'esteira_frame_' || home] LOOP
			EXECUTE format('CREATE POLICY %I ON %I.%I TO %1$I USING (true) WITH CHECK (true)',
				role, home, tbl);
		END LOOP;
		EXECUTE format('CREATE POLICY esteira_operator ON %I.%I FOR SELECT TO esteira_operator'
			' USING (true)', home, tbl);
	END LOOP;
END
$$;

GRANT SELECT, INSERT, UPDATE, DELETE
	ON inbox, effect, claim, fence, progress, replay, parked, dead_letter TO :"service";
GRANT SELECT, INSERT ON outbox TO :"service";
GRANT SELECT, INSERT, UPDATE, DELETE
	ON inbox, outbox, effect, claim, fence, progress, replay, parked, dead_letter TO :"frame";

-- The operator lists what waits and what failed, never a record's key, headers or payload.
GRANT SELECT ON inbox, effect, claim, fence, progress, replay TO esteira_operator;
GRANT SELECT (seq, event_id, tenant_id, topic, part, ordering_key, created_at)
	ON outbox TO esteira_operator;
GRANT SELECT (id, grp, topic, part, off, epoch, event_id, tenant_id, ordering_key, due_at, attempts,
	reason, error_code, error_message, first_failed_at, created_at) ON parked TO esteira_operator;
GRANT SELECT (id, grp, topic, part, off, epoch, event_id, tenant_id, ordering_key, error_class,
	error_code, error_message, attempts, first_failed_at, handler_version, state, created_at)
	ON dead_letter TO esteira_operator;

-- Makes the inbox's partitions of this and the next two weeks (ISO weeks, UTC) and drops those that
-- ended 14 days ago or earlier. A partition is made apart and attached, which readers and writers
-- of the inbox do not notice; dropping needs the inbox for a moment and waits for another call when
-- it does not get it. Any process may call it at any time.
CREATE FUNCTION inbox_maintain() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = :"schema", pg_catalog, pg_temp
SET timezone = 'UTC'
SET lock_timeout = '2s'
AS $$
DECLARE
	home text := current_schema();
	starts timestamptz;
	tbl text;
	role text;
BEGIN
	PERFORM pg_advisory_xact_lock(hashtextextended(home || '.inbox_maintain', 0));

	FOR week IN 0..2 LOOP
		starts := date_trunc('week', now()) + week * interval '7 days';
		tbl := to_char(starts, '"inbox_"IYYY"w"IW');
		CONTINUE WHEN to_regclass(format('%I.%I', home, tbl)) IS NOT NULL;
		EXECUTE format('CREATE TABLE %I.%I (LIKE inbox INCLUDING DEFAULTS INCLUDING INDEXES)',
			home, tbl);
		EXECUTE format('ALTER TABLE %I.%I ENABLE ROW LEVEL SECURITY', home, tbl);
		EXECUTE format('ALTER TABLE %I.%I FORCE ROW LEVEL SECURITY', home, tbl);
		FOREACH role IN ARRAY ARRAY['esteira_' || home, 'esteira_frame_' || home] LOOP
			EXECUTE format('CREATE POLICY %I ON %I.%I TO %1$I USING (true) WITH CHECK (true)',
				role, home, tbl);
		END LOOP;
		EXECUTE format('ALTER TABLE inbox ATTACH PARTITION %I.%I FOR VALUES FROM (%L) TO (%L)',
			home, tbl, starts, starts + interval '7 days');
	END LOOP;

	FOR tbl IN
		SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent = 'inbox'::regclass AND c.relname ~ '^inbox_\d{4}w\d{2}$'
			AND (to_date(substr(c.relname, 7), 'IYYY"w"IW') + 7)::timestamptz
				<= now() - interval '14 days'
	LOOP
		BEGIN
			EXECUTE format('DROP TABLE %I.%I', home, tbl);
		EXCEPTION WHEN lock_not_available THEN
			RAISE LOG 'inbox partition %.% is in use and stays for now', home, tbl;
		END;
	END LOOP;
END
$$;

-- Could the caller's role get around row level security? Asked by every service at start, as the
-- role it works with. The session's role counts too: SET ROLE can be undone.
CREATE FUNCTION role_is_safe() RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
	WITH mine AS (
		SELECT r.* FROM pg_roles r
		WHERE pg_has_role(current_user, r.oid, 'MEMBER') OR pg_has_role(session_user, r.oid, 'MEMBER')
	)
	SELECT NOT EXISTS (SELECT FROM mine
			WHERE rolsuper OR rolbypassrls OR rolcreaterole OR rolreplication OR rolname LIKE 'pg\_%')
		AND NOT EXISTS (SELECT FROM pg_class c JOIN mine ON mine.oid = c.relowner
			WHERE c.relkind IN ('r', 'p', 'm', 'v'))
$$;

REVOKE ALL ON FUNCTION inbox_maintain(), role_is_safe() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION inbox_maintain(), role_is_safe() TO :"service", :"frame";

SELECT inbox_maintain() AS done \gset

RESET ROLE;
RESET search_path;
