# Sourced by the lints in shell: the root of the tree, the build folder, and the judgement of lintlib.py.
# shellcheck shell=bash disable=SC2034
set -euo pipefail
LINT=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "${LINT_ROOT:-$LINT/../..}"
BUILD=${LINT_BUILD:-build/dev}

# Places on standard input; ends with 1 when one is left that allow.txt does not excuse.
judge() {
	/usr/bin/python3 -c '
import sys
sys.path.insert(0, sys.argv[1])
import lintlib
lintlib.judge((line for line in sys.stdin.read().splitlines() if line), sys.argv[2])
' "$LINT" "$1"
}

# The C sources, one path per line.
sources() {
	find libshared services -type f -name '*.[ch]' | sort
}

# "object source" of every source of libshared and services that was built.
objects() {
	local found
	found=$(find "$BUILD" -type f -name '*.c.o' 2>/dev/null |
		sed -nE 's#^(.*\.dir/((libshared|services)/.*\.c)\.o)$#\1 \2#p' | sort)
	if [[ -z $found ]]; then
		echo "$BUILD: nothing was built there; run cmake and ninja first"
		return
	fi
	while read -r object source; do
		if [[ -e $source ]]; then echo "$object $source"; fi
	done <<<"$found"
}
