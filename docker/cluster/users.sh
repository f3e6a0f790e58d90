#!/bin/bash
# Gives Sturmwarte a user of its own that may do no more than it must. Runs in the image of Elasticsearch.
set -eu
server=https://elasticsearch:9200
ask() {
  curl --fail --silent --show-error --cacert /certificates/ca.crt --config <(printf 'user = "elastic:%s"' "$(cat /run/secrets/elastic_password)") \
    --header 'Content-Type: application/json' --output /dev/null "$@"
}
ask --request PUT "$server/_security/role/sturmwarte" --data @/cluster/role.json
ask --request PUT "$server/_security/role/sturmwarte_viewer" --data @/cluster/viewer.json
password=$(cat /run/secrets/store_password)
case $password in *[\"\\]*) echo 'store_password: no " and no \ please' >&2; exit 1 ;; esac
printf '{"password": "%s", "roles": ["sturmwarte"]}' "$password" |
  ask --request PUT "$server/_security/user/sturmwarte" --data @-
