#!/bin/bash
# HEALTHCHECK of the suite: the service's own /livez says that it lives. Kubernetes asks there itself.
set -eu
listen=${ESTEIRA_ADMIN_LISTEN:-0.0.0.0:9464}
host=${listen%:*}
[[ $host != 0.0.0.0 ]] || host=127.0.0.1
exec 3<>"/dev/tcp/$host/${listen##*:}"
printf 'GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3
read -r -t 3 _ status _ <&3
[[ $status == 200 ]]
