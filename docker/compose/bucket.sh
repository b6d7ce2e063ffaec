#!/bin/sh
# The bucket of the documents, and a key that may do there what intake does and nothing else.
set -eu
secret() { cat "/run/secrets/$1"; }
key=$(secret s3-access-key)
mc -q alias set s3 http://minio:9000 "$(secret s3-root-user)" "$(secret s3-root-password)"
mc -q mb --ignore-existing s3/esteira-documents
mc -q admin user add s3 "$key" "$(secret s3-secret-key)"
mc -q admin policy create s3 esteira-documents /bucket.json
case $(mc -q admin user info s3 "$key") in
*PolicyName*esteira-documents*) ;;
*) mc -q admin policy attach s3 esteira-documents --user "$key" ;;
esac
