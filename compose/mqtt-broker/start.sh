#!/bin/sh
# Hashes the passwords of the environment into the broker's password file, then becomes the broker.
# Mosquitto itself reads no password from the environment, and passwords must not be arguments.
set -eu
umask 077
mkdir -p /run/mosquitto /root/.config
health=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
{
    printf 'manager:%s\n' "${FLOPS_MQTT_MANAGER_PASSWORD:?}"
    printf 'actor:%s\n' "${FLOPS_MQTT_ACTOR_PASSWORD:?}"
    printf 'health:%s\n' "$health"
} > /run/mosquitto/passwords
mosquitto_passwd -U /run/mosquitto/passwords
chown -R mosquitto: /run/mosquitto /mosquitto/data
printf '%s\n' '-p 9027' '-u health' "-P $health" > /root/.config/mosquitto_sub
unset FLOPS_MQTT_MANAGER_PASSWORD FLOPS_MQTT_ACTOR_PASSWORD health
exec mosquitto -c /etc/flops/mosquitto.conf
