#!/usr/bin/env bash
# No shell script of the tree gives shellcheck anything to say.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

scripts() {
	find . \( -name .git -o -name build -o -name var \) -prune -o -type f -print |
		while read -r file; do
			case ${file##*/} in
			*.sh) echo "$file" ;;
			*.*) ;;
			*) if head -c 64 "$file" | grep -aqE '^#!.*\b(ba)?sh\b'; then echo "$file"; fi ;;
			esac
		done
}

scripts | sed 's#^\./##' | sort |
	{ xargs -r shellcheck -x -P SCRIPTDIR -f gcc 2>&1 || true; } | judge shell
