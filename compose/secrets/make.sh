#!/bin/sh
# Writes a file for every password of the suite, in a volume for each service: the value of the
# environment where one was given, else what is there already, else a random one. It prints nothing.
set -eu
umask 077
folder=${FLOPS_SECRETS_FOLDER:-/run/flops/secrets}
group=${FLOPS_SECRETS_GROUP:-10001}
keep() { # keep SERVICE/VARIABLE GIVEN [GROUP]
    file="$folder/$1"
    if [ -z "$2" ] && [ -s "$file" ]; then return; fi
    # Hexadecimal, as `make env` writes them.
    printf '%s\n' "${2:-$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')}" > "$file.new"
    # For root, as whom most outside parts start, and for the group of FLOps' own images.
    chgrp "${3:-$group}" "$file.new"
    chmod 440 "$file.new"
    mv -f "$file.new" "$file"
}
keep mongo/MONGO_INITDB_ROOT_PASSWORD "${FLOPS_MONGO_PASSWORD:-}"
keep mqtt-broker/FLOPS_MQTT_MANAGER_PASSWORD "${FLOPS_MQTT_MANAGER_PASSWORD:-}"
keep mqtt-broker/FLOPS_MQTT_ACTOR_PASSWORD "${FLOPS_MQTT_ACTOR_PASSWORD:-}"
keep image-registry/FLOPS_REGISTRY_PASSWORD "${FLOPS_REGISTRY_PASSWORD:-}"
keep backend-store/POSTGRES_PASSWORD "${FLOPS_BACKEND_STORE_ADMIN_PASSWORD:-}"
keep backend-store/FLOPS_BACKEND_STORE_PASSWORD "${FLOPS_BACKEND_STORE_PASSWORD:-}"
keep artifact-store/FLOPS_ARTIFACT_STORE_USER "${FLOPS_ARTIFACT_STORE_USER:-}"
keep artifact-store/FLOPS_ARTIFACT_STORE_PASSWORD "${FLOPS_ARTIFACT_STORE_PASSWORD:-}"
keep manager/FLOPS_GRID_TLS_SECRET "${FLOPS_GRID_TLS_SECRET:-}"
# Grafana runs as a user of root's group.
keep grafana/GF_SECURITY_ADMIN_PASSWORD "${FLOPS_GRAFANA_PASSWORD:-}" "${FLOPS_SECRETS_GROUP:-0}"
# Stores take theirs into their own volumes; after a power failure both have to be there.
sync
