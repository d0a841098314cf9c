#!/bin/sh
# Makes the passwords of config/compose.yaml at random, once, beside it in secrets/; what is there stays. The containers'
# own users read the files, so what keeps others out is the folder. `sh secrets.sh station NAME` adds a station's
# account to the broker (which reads it when it gets a SIGHUP) and says its password.
set -eu
cd "$(dirname "$0")"
mkdir -p -m 700 secrets
cd secrets

random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

account() {
    [ -e broker_accounts ] || (umask 022 && : >broker_accounts)
    mosquitto_passwd -b broker_accounts "$1" "$2"
}

for name in broker_gateway influxdb_password influxdb_token influxdb_grafana grafana_password; do
    [ -e $name ] || random >$name
    chmod 644 $name
done
grep -qs '^gateway:' broker_accounts || account gateway "$(cat broker_gateway)"
if [ "${1-}" = station ]; then
    case ${2-} in '' | gateway | operator | *[!A-Za-z0-9._-]*) echo "which station?" >&2; exit 2 ;; esac
    password=$(random)
    account "$2" "$password"
    echo "$password"
fi
chmod 644 broker_accounts
