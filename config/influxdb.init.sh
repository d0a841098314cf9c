#!/bin/sh
# Run once by InfluxDB's container, when its database is new: the bucket of minutes, `full` as what is meant where no
# retention policy is named, and an account for Grafana that can read and nothing else.
set -eu
minutes=$(influx bucket create --org magwatch --name magwatch/minutes --retention 0 --hide-headers | cut -f 1)
influx v1 dbrp create --org magwatch --db magwatch --rp full --bucket-id "$DOCKER_INFLUXDB_INIT_BUCKET_ID" --default
influx v1 dbrp create --org magwatch --db magwatch --rp minutes --bucket-id "$minutes"
influx v1 auth create --org magwatch --username grafana --password "$(cat /run/secrets/influxdb_grafana)" \
    --read-bucket "$DOCKER_INFLUXDB_INIT_BUCKET_ID" --read-bucket "$minutes"
