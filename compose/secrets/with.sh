#!/bin/sh
# Becomes the given command with the service's passwords in its environment: those that it does not
# have yet come from the files of compose/secrets/make.sh, which are called like the variables.
set -eu
for file in "${FLOPS_SECRETS_FOLDER:-/run/flops/secrets}"/*; do
    [ -f "$file" ] || continue
    name=${file##*/}
    eval "given=\${$name:-}"
    if [ -z "$given" ]; then
        value=$(cat "$file")
        export "$name=$value"
    fi
done
unset given value
exec "$@"
