# shellcheck shell=sh
# The migrations Job: deploys what is missing, then gives the roles their passwords, where they are mounted.
# The image's working directory is that of sqitch.plan. No password is in an argument, or in the server's log.
conf=${ESTEIRA_CONF:-/etc/esteira}
PGPASSWORD=$(cat "$conf/pg-password")
export PGPASSWORD
sqitch deploy --verify "db:pg://$PGUSER@$PGHOST:$PGPORT/$PGDATABASE"
for file in "$conf"/roles/esteira_*; do
  [ -e "$file" ] || continue
  psql -q -X -v ON_ERROR_STOP=1 <<END
SET log_statement = 'none';
SET log_min_duration_statement = -1;
SET log_min_error_statement = 'panic';
\\set password \`cat $file\`
ALTER ROLE ${file##*/} PASSWORD :'password';
END
  echo "${file##*/} has its password"
done
