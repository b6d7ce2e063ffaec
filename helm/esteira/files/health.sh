# shellcheck shell=bash
# helm test: the API says that everything the suite stands on is up. Arguments: HOST PORT http|https; bash, openssl.
ask() {
  local request
  printf -v request 'GET /v1/health HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$1"
  if [[ $3 == https ]]; then # nothing secret is said, so it does not matter to whom
    timeout 10 openssl s_client -quiet -servername "$1" -connect "$1:$2" <<<"$request" 2>/dev/null
  else
    exec 3<>"/dev/tcp/$1/$2"
    printf '%s' "$request" >&3
    timeout 10 cat <&3
  fi
}
while answer=$(ask "$@"); ! [[ $answer =~ \"status\":\ *\"ok\" ]]; do
  if ((SECONDS >= ${ESTEIRA_TEST_SECONDS:-60})); then
    echo "not well: ${answer:-no answer}"
    exit 1
  fi
  sleep 1
done
echo "$answer"
