# What the commands of the runbooks are made of. Source it: `. docs/runbooks/house.sh` (README.md beside it explains).
# These lines fit a house of `make up`. For another installation write the same names once more: every page stays right.

UP=${UP:-build/up} # the folder that `make up` names
. "$UP/environment"

at() { # at PART: where it answers, such as http://127.0.0.1:8402
  jq --raw-output --exit-status --arg part "$1" '.addresses[$part]' "$UP/state.json"
}
COLLECTOR=$(at collector)
PROMETHEUS=$(at Prometheus)
ALERTMANAGER=$(at Alertmanager)
RABBITMQ=$(at RabbitMQ) # its management API
HOUSE=$(cat "$UP/lock") # the process that starts again what ends
export TOUCHSTONE_COLLECTOR=$COLLECTOR

query() { # query PROMQL: what an expression is now, a line a series
  curl --silent --show-error --fail-with-body --data-urlencode query="$1" "$PROMETHEUS/api/v1/query" |
    jq --raw-output '.data.result[] | [.value[1], (.metric | to_entries[] | "\(.key)=\(.value)")] | join("  ")'
}

_token() { # _token PART: what a machine of the house shows it; the collector has a token of its own, or none
  [ "$1" != collector ] || { echo "${TOUCHSTONE_TOKEN-}" && return; }
  curl --silent --fail --data grant_type=client_credentials --data client_id="$TOUCHSTONE_OIDC_CLIENT_ID" \
    --data client_secret="$TOUCHSTONE_OIDC_CLIENT_SECRET" "$TOUCHSTONE_OIDC_ISSUER/token" | jq --raw-output .access_token
}

ask() { # ask PART PATH: an answer of a service, as its staff gets it
  curl --silent --show-error --fail-with-body --header "Authorization: Bearer $(_token "$1")" "$(at "$1")$2"
}

tell() { # tell PART PATH [JSON]: CHANGES something: sends it to a service
  curl --silent --show-error --fail-with-body --header "Authorization: Bearer $(_token "$1")" \
    --header 'Content-Type: application/json' --data "${3-}" "$(at "$1")$2"
}

sql() { # sql DATABASE STATEMENT: reads from the database of the collector, shop, crm, mes or pricing
  local name=TOUCHSTONE_${1^^}_DATABASE
  [ "$1" != collector ] || name=TOUCHSTONE_DATABASE
  local address=${!name}
  PGOPTIONS='-c default_transaction_read_only=on' psql "${address/+asyncpg/}" --no-psqlrc --pset pager=off --command "$2"
}

broker() { # broker PATH FILTER: what RabbitMQ's management API answers, through jq
  curl --silent --show-error --fail-with-body --user "${RABBITMQ_LOGIN:-guest:guest}" "$RABBITMQ/api/$1" |
    jq --raw-output "$2"
}

am() { # am WORDS...: amtool, at this Alertmanager
  amtool --alertmanager.url="$ALERTMANAGER" "$@"
}

log() { # log PART [PATTERN]: its last twenty lines, or the last twenty that match
  local file=$UP/logs/$1.log
  case $1 in
    postgres) file=$UP/postgres/postgres.log ;;
    rabbitmq | prometheus | alertmanager) file=$UP/$1/$1.log ;;
    supervisor) file=$UP/supervisor.log ;;
  esac
  grep --extended-regexp --ignore-case --text -e "${2-.}" "$file" | tail -n 20 | grep . || echo "$file: no such line"
}

part() { # part NAME: the process of a part, such as mes, `relay mes`, prometheus
  ps --ppid "$HOUSE" --format pid=,etime=,rss=,args= | grep --extended-regexp -e "serve $1( |\$)" -e "bin/(prometheus-)?$1( |\$)"
}

restart() { # restart NAME: CHANGES something: ends a part in good order; the supervisor starts it again within 30 s
  part "$1" | while read -r pid _; do kill -TERM "$pid" && echo "$1 ($pid) was told to end"; done
}
