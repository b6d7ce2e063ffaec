#!/usr/bin/env bash
# base <- model <- port <- frame <- services: nothing includes what is to its right, services never one
# another, decide.c only base, model and its own structs, the jail only base. A foreign library's header
# is in the .c files that wrap it and in no .h.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
shopt -s extglob

# What a file may include by "name/...".
layers_of() {
	case $1 in
	libshared/base/*) echo base ;;
	libshared/model/*) echo base model ;;
	libshared/port/*) echo base model port ;;
	services/ocr/jail/*) echo base ;;
	*/decide.[ch]) echo base model ;;
	*) echo base model port frame ;;
	esac
}

# Which files may include a foreign header.
home_of() {
	case $1 in
	jansson.h) echo 'libshared/model/codec*.c' ;;
	uv.h) echo 'libshared/port/*.c' ;;
	librdkafka/*) echo 'libshared/port/kafka*.c' ;;
	libpq-fe.h | libpq/*) echo 'libshared/port/pg*.c' ;;
	curl/*) echo 'libshared/port/http*.c' ;;
	llhttp.h) echo 'libshared/port/web*.c' ;;
	hiredis/*) echo 'libshared/port/redis*.c' ;;
	openssl/*) echo 'libshared/port/@(digest|seal*|stream_tls|tls).c' ;;
	tesseract/* | leptonica/* | allheaders.h | seccomp.h) echo 'services/ocr/jail/*.c' ;;
	*) echo '*' ;;
	esac
}

judge_quoted() {
	local place=$1 file=${1%%:*} name=$2 top=${2%%/*} service
	service=$(cut -d/ -f1-2 <<<"$file")
	if [[ $file == */decide.c && $name != base/* && $name != model/* && ${name##*/} != decide.h && ${name##*/} != events.h ]]; then
		echo "$place: decide.c is pure and does not include $name"
	elif [[ $file == libshared/* || -e libshared/$name ]]; then
		if [[ ! -e libshared/$name ]]; then
			echo "$place: there is no libshared/$name"
		elif [[ " $(layers_of "$file") " != *" $top "* ]]; then
			echo "$place: an arrow back to $name"
		fi
	elif [[ $name == *..* || ! (-e $(dirname "$file")/$name || -e $service/$name) ]]; then
		echo "$place: $name is not of this service"
	fi
}

# A glob on the right of == is meant as one.
# shellcheck disable=SC2053
judge_angled() {
	local place=$1 file=${1%%:*} name=$2 home
	home=$(home_of "$name")
	if [[ $home != '*' && $file == *.h ]]; then
		echo "$place: a foreign header in a header: $name"
	elif [[ $file != $home ]]; then
		echo "$place: $name belongs into $home"
	fi
}

includes() {
	sources | xargs grep -nHE '^[[:space:]]*#[[:space:]]*include' |
		sed -E 's/^([^:]+:[0-9]+):[^"<]*(["<])([^">]+)[">].*/\1 \2 \3/'
}

includes | while read -r place kind name; do
	if [[ $kind == '"' ]]; then
		judge_quoted "$place" "$name"
	else
		judge_angled "$place" "$name"
	fi
done | judge layers
