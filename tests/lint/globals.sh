#!/usr/bin/env bash
# No writable variable lives longer than a call: nothing in .data or .bss, static or not, outside
# base/log.c (the process's log settings).
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

objects | while read -r object source; do
	if [[ $object == *: ]]; then
		echo "$object $source"
	elif [[ $source != libshared/base/log.c ]]; then
		objdump -t "$object" |
			awk '/ O \.(data|bss|tdata|tbss)/ && !/ O \.data\.rel\.ro/ { print $NF }' |
			sed "s#^#$source: a writable variable: #"
	fi
done | judge globals
