#!/usr/bin/env bash
# A file exports only its own name: seal_doc.c has seal_doc_*; in a service the folder's or the service's
# name (charge_*, intake_*) will do as well. main.c exports main alone.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

names_of() {
	local source=$1 stem folder
	stem=$(basename "$source" .c)
	folder=$(basename "$(dirname "$source")")
	case $source in
	*/main.c) echo '^main$' ;;
	libshared/*) echo "^${stem}(_|\$)" ;;
	*) echo "^(${stem}|${folder}|$(cut -d/ -f2 <<<"$source"))(_|\$)" ;;
	esac
}

objects | while read -r object source; do
	if [[ $object == *: ]]; then
		echo "$object $source"
		continue
	fi
	nm -g --defined-only "$object" | awk '{ print $3 }' | { grep -vE "$(names_of "$source")" || true; } |
		sed "s#^#$source: exports #"
done | judge exports
