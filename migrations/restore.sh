#!/usr/bin/env bash
# What backup.sh left in FOLDER, into an empty server; no service runs meanwhile. Then every group goes on from where
# the backup was, and what was done since counts as doubtful (below). docs/operate.md.
set -euo pipefail
[[ $# -eq 1 ]] || { echo "usage: $0 FOLDER" >&2; exit 2; }
cd "$1"

# roles first: owners, grants and policies name them. --create: the database's own privileges come along; in one
# made by hand PUBLIC could connect. A database that is there is an error, nothing is overwritten.
psql -U postgres -d postgres -qX -v ON_ERROR_STOP=1 -f roles.sql
pg_restore -U postgres -d postgres --create --exit-on-error esteira.dump

# A new server counts its timelines from 1 again, as the lost one may have done. 0 is none of them, so whoever takes a
# partition over sees that the database is another one (docs/decisions/0016, 0037).
psql -U postgres -d esteira -qX -v ON_ERROR_STOP=1 <<'SQL'
SELECT format('UPDATE %I.fence SET timeline = 0', n.nspname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relname = 'fence' AND c.relkind = 'r'
\gexec
ANALYZE;
SQL
