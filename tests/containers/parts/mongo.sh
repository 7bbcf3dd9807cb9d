#!/bin/sh
# The account first, then the server: as the image of MongoDB does it, with secantusdb.
set -eu
folder=/data/db/secantus
if [ ! -e "$folder/.flops-account" ]; then
    secantusd-py --host 127.0.0.1 --port 27018 --storage-path "$folder" --standalone &
    server=$!
    make-mongo-account.py
    kill -TERM "$server"
    wait "$server" || true
    touch "$folder/.flops-account"
fi
unset MONGO_INITDB_ROOT_PASSWORD
exec secantusd-py --host 0.0.0.0 --port 27017 --storage-path "$folder" --standalone --sync-on-commit --cache-size 64M --auth
