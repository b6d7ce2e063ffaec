#!/bin/bash
# Makes the secrets of compose.yaml, those that are not there: random, in a folder that only its owner may enter.
# usage: init.sh [NAME]      the host name in the certificate, localhost by default; bring your own as tls-cert and tls-key
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")"
umask 077
mkdir -p secrets/roles
chmod 755 secrets/roles # mounted as a whole; the folder above keeps others out
user=$(id -u):$(id -g)
[[ $user != 0:* ]] || user=10001:10001

put() { # NAME, the content as input; containers read it as users of their own
  [[ ! -e secrets/$1 ]] || return 0
  cat >"secrets/$1.new"
  chmod 444 "secrets/$1.new"
  mv "secrets/$1.new" "secrets/$1"
}
random() { openssl rand -hex 24 | tr -d '\n'; }

for service in intake ocr outreach audit; do
  random | put "roles/esteira_$service"
  random | put "roles/esteira_frame_$service"
done
for name in postgres-password redis-password s3-root-password s3-secret-key grafana-password; do
  random | put "$name"
done
printf esteira-root | put s3-root-user
printf esteira-intake | put s3-access-key
printf 'postgresql://postgres:%s@postgres:5432/esteira?sslmode=disable' "$(<secrets/postgres-password)" | put pg-owner-url
printf '"esteira_intake" "%s"\n' "$(<secrets/roles/esteira_intake)" | put pgbouncer-users
printf 'save ""\nappendonly no\nmaxmemory 512mb\nmaxmemory-policy noeviction\nrequirepass %s\n' "$(<secrets/redis-password)" | put redis-conf
openssl rand 32 | put seal-master
if [[ ! -e secrets/tls-cert ]]; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 825 -subj "/CN=${1:-localhost}" \
    -addext "subjectAltName=DNS:${1:-localhost}" -keyout secrets/key.new -out secrets/cert.new 2>/dev/null
  put tls-key <secrets/key.new
  put tls-cert <secrets/cert.new
  rm secrets/key.new secrets/cert.new
fi
chmod 400 secrets/seal-master # the master key is its reader's alone
[[ $EUID != 0 ]] || chown "$user" secrets/seal-master
echo "ESTEIRA_USER=$user" >../.env
echo "docker/compose/secrets is complete; keep a copy of seal-master: without it nothing that is sealed can be read"
