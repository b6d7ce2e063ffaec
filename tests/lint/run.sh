#!/usr/bin/env bash
# Runs every lint: one line each, the places of the failed ones, and "N passed, N failed" at the end.
# usage: run.sh [BUILD-FOLDER [LINT...]]     the folder holds objects and compile_commands.json
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export LINT_BUILD=${1:-build/dev} PYTHONDONTWRITEBYTECODE=1
shift $(($# > 0))
passed=0 failed=0

for lint in "$here"/*.sh "$here"/*.py; do
	name=$(basename "${lint%.*}")
	case $name in run | lib | lintlib) continue ;; esac
	if (($# > 0)) && [[ " $* " != *" $name "* ]]; then continue; fi
	case $lint in
	*.py) command=(/usr/bin/python3 "$lint") ;;
	*) command=(bash "$lint") ;;
	esac
	if places=$("${command[@]}" 2>&1); then
		passed=$((passed + 1))
		echo "ok $name${places:+ ($(tail -n 1 <<<"$places"))}"
	else
		failed=$((failed + 1))
		echo "FAILED $name"
		echo "  ${places//$'\n'/$'\n'  }"
	fi
done
echo "$passed passed, $failed failed"
exit $((failed > 0 || passed == 0))
