#!/usr/bin/python3
"""Records through consumer, inbox, a row, outbox and relay, beside what the same Postgres takes bare.

The records wait in the log when the service starts; the clock runs from a tenth of them to the last
one published. Bare is pgbench with the same three inserts in transactions of 100 rows.
"""
import os
import statistics
import subprocess
import sys
import tempfile
import uuid

import machine
import rig
from records import drain, fill, reference
from servers import DATABASE

ROUNDS, BATCH, BARE_S = 3, 100, 8

BARE = f"""
BEGIN;
INSERT INTO reference.inbox (grp, event_id, epoch, tenant_id, outputs)
 SELECT 'bare', gen_random_uuid(), 0, '{uuid.UUID(int=1)}', decode('0011223344556677', 'hex')
 FROM generate_series(1, {BATCH});
INSERT INTO reference.note (tenant_id, event_id, key, n)
 SELECT gen_random_uuid(), gen_random_uuid(), 'k', i FROM generate_series(1, {BATCH}) i;
INSERT INTO reference.outbox (event_id, tenant_id, topic, part, ordering_key, key, headers, payload)
 SELECT gen_random_uuid(), '{uuid.UUID(int=1)}', 'esteira.intake.events', 1, 'k1',
 convert_to('{uuid.UUID(int=1)}', 'UTF8'), convert_to(repeat('h', 420), 'UTF8'),
 convert_to('{{"key":"k1","n":12345}}', 'UTF8') FROM generate_series(1, {BATCH});
COMMIT;
"""


def bare_rate(stack):
    """Rows a second (of each of the three tables) by pgbench with two connections."""
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(BARE)
        script.flush()
        env = {**os.environ, "PGPASSWORD": stack.secrets["roles"]["postgres"]}
        where = ["-h", "127.0.0.1", "-p", str(stack.ports["postgres"]), "-U", "postgres"]
        done = subprocess.run(["pgbench", "-n", "-c", "2", "-j", "2", "-T", str(BARE_S), "-f",
                               script.name, *where, DATABASE], env=env, capture_output=True,
                              text=True, check=True)
    stack.psql("TRUNCATE reference.outbox, reference.inbox, reference.note")
    for line in done.stdout.splitlines():
        if line.startswith("tps ="):
            return float(line.split()[2]) * BATCH
    sys.exit(f"conveyor: pgbench said {done.stdout}")


def one_round(plant, records):
    """(rate, bare rate)"""
    fill(plant.stack, records)
    reference.start(plant.stack, 1)
    try:
        rate = drain(plant, records)
    finally:
        plant.stack.stop_one("reference-1")
    plant.stack.psql("TRUNCATE reference.inbox, reference.note")
    return rate, bare_rate(plant.stack)


def main():
    records = int(sys.argv[1]) if len(sys.argv) > 1 else 120000
    verdict = machine.Verdict()
    with rig.temporary((), ()) as plant:
        reference.prepare(plant.stack)
        found = []
        for _ in range(ROUNDS):
            found.append(one_round(plant, records))
            print(f"round: {found[-1][0]:.0f}/s, bare {found[-1][1]:.0f}/s", flush=True)
    verdict.line("records through the conveyor", statistics.median(f[0] for f in found),
                 least=12000, unit="/s")
    verdict.line("bare batches of the same inserts", statistics.median(f[1] for f in found),
                 unit="/s")
    verdict.line("conveyor against bare", statistics.median(f[0] / f[1] for f in found), least=0.2)
    verdict.exit()


if __name__ == "__main__":
    main()
