#!/bin/sh
# A new database gets its password and the scripts of /docker-entrypoint-initdb.d, as the image of
# PostgreSQL does it; then the server runs, as the user postgres.
set -eu
umask 077
data=/var/lib/postgresql/data/base
as_postgres() { setpriv --reuid=postgres --regid=postgres --init-groups "$@"; }
chown postgres: /var/lib/postgresql/data
mkdir -p /var/run/postgresql
chown postgres: /var/run/postgresql
if [ ! -e "$data/.flops-complete" ]; then
    rm -rf "$data"
    printf '%s\n' "${POSTGRES_PASSWORD:?}" > /tmp/password
    chown postgres: /tmp/password
    as_postgres initdb --encoding=UTF8 --locale=C.UTF-8 --auth-local=trust --auth-host=scram-sha-256 --pwfile=/tmp/password -U postgres -D "$data" > /dev/null
    rm /tmp/password
    as_postgres pg_ctl -w -D "$data" -o "-c listen_addresses=''" start > /dev/null
    for script in /docker-entrypoint-initdb.d/*.sh; do as_postgres "$script"; done
    as_postgres pg_ctl -w -D "$data" stop > /dev/null
    echo 'host all all all scram-sha-256' >> "$data/pg_hba.conf"
    touch "$data/.flops-complete"
fi
unset POSTGRES_PASSWORD FLOPS_BACKEND_STORE_PASSWORD
exec setpriv --reuid=postgres --regid=postgres --init-groups postgres -D "$data" -c "listen_addresses=*"
