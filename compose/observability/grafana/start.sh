#!/bin/sh
# Becomes Grafana, but never with the password that Grafana has by itself.
set -eu
: "${GF_SECURITY_ADMIN_PASSWORD:?run 'make env' first}"
exec /run.sh
