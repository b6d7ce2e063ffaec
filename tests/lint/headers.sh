#!/usr/bin/env bash
# Every header compiles on its own, in an empty file, without a foreign library's include path.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

compile() {
	local header=$1 service
	service=$(cut -d/ -f1-2 <<<"${header#"$PWD/"}")
	# a function nobody uses is what a header of static inlines looks like here
	gcc -std=gnu17 -D_GNU_SOURCE -fsyntax-only -Wall -Wextra -Wno-unused-function -Werror \
		-Ilibshared -I"$service" -x c - <<<"#include \"${header#libshared/}\"" 2>&1 |
		{ grep -m 1 -E 'error' || true; } | sed "s#^#$header: #"
}

{
	find libshared -type f -name '*.h' | sort | while read -r header; do compile "$header"; done
	find services -type f -name '*.h' | sort | while read -r header; do
		compile "$PWD/$header" | sed "s#$PWD/##g"
	done
} | judge headers
