#!/bin/sh
# The real servers that the tests run against. Installed where this user may; otherwise the tests that need them skip
# and say so. In CI nothing skips: there a missing server is a failure.
missing=""
for pair in mosquitto:mosquitto mosquitto_pub:mosquitto-clients influxd:influxdb nginx:nginx chromium:chromium \
    victoria-metrics:victoria-metrics openssl:openssl systemd-analyze:systemd faketime:faketime; do
    command -v "${pair%%:*}" >/dev/null 2>&1 || [ -x "/usr/sbin/${pair%%:*}" ] || missing="$missing ${pair##*:}"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing$missing"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
    echo "not installed:$missing; the tests that need them will be skipped (as root, apt-get would install them)"
fi
[ -z "$CI" ] || for pair in mosquitto mosquitto_pub influxd nginx victoria-metrics chromium openssl systemd-analyze; do
    command -v $pair >/dev/null 2>&1 || [ -x /usr/sbin/$pair ] || { echo "CI needs $pair"; exit 1; }
done
exit 0
