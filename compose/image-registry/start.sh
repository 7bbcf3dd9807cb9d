#!/bin/bash
# Writes the registry's password file, if a password is given, then becomes the registry.
set -eu
umask 077
if [ -n "${FLOPS_REGISTRY_PASSWORD:-}" ]; then
    # crypt() of Debian's C library makes the bcrypt hash that the registry needs.
    export FLOPS_REGISTRY_PASSWORD
    perl -e '
        open(my $random, "<", "/dev/urandom") or die; read($random, my $bytes, 22);
        my @letters = (".", "/", "A".."Z", "a".."z", 0..9);
        my $salt = join "", map { $letters[ord($_) % 64] } split //, $bytes;
        print "$ENV{FLOPS_REGISTRY_USER}:", crypt($ENV{FLOPS_REGISTRY_PASSWORD}, "\$2b\$10\$$salt"), "\n";
    ' > /tmp/htpasswd
    export REGISTRY_AUTH=htpasswd REGISTRY_AUTH_HTPASSWD_REALM=flops REGISTRY_AUTH_HTPASSWD_PATH=/tmp/htpasswd
    unset FLOPS_REGISTRY_PASSWORD
fi
# Signs the state of uploads; no upload outlives this process.
REGISTRY_HTTP_SECRET=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
export REGISTRY_HTTP_SECRET
exec registry serve /etc/flops/registry.yml
