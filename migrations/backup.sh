#!/usr/bin/env bash
# A backup of the database: roles.sql and esteira.dump in FOLDER. libpq's environment says where the server is
# and what the passwords are. docs/operate.md.
set -euo pipefail
umask 077
[[ $# -eq 1 ]] || { echo "usage: $0 FOLDER" >&2; exit 2; }
mkdir -p "$1"
cd "$1"

# roles belong to the cluster, not to the database; postgres is there already wherever this is restored
pg_dumpall -U postgres --roles-only | sed -E '/^(CREATE|ALTER) ROLE "?postgres"?[ ;]/d' >roles.sql.new
# the one role that sees every row: with another one this fails, for row security is not left out
pg_dump -U esteira_backup -Fc -f esteira.dump.new esteira
mv roles.sql.new roles.sql
mv esteira.dump.new esteira.dump
