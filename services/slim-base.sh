#!/bin/sh
# Removes from the root folder of a Debian with Python what a learner never runs: the package manager
# (but not its list of what is installed), Perl, administration, character sets of C programs, and of
# Python: bytecode, the installer, and what is for developers. Works on folders of any platform.
# Argument: the root folder. See docs/containers.md.
set -eu
root=$1
cd "$root"
rm -rf usr/share/doc usr/share/man usr/share/info usr/share/locale usr/share/perl* usr/share/lintian \
    usr/share/python-wheels usr/share/keyrings usr/share/bash-completion usr/share/gcc usr/share/gdb \
    usr/share/debconf usr/share/menu usr/share/pixmaps usr/lib/apt usr/lib/dpkg usr/lib/systemd \
    usr/lib/udev usr/lib/*-linux-gnu*/gconv usr/lib/*-linux-gnu*/perl* usr/lib/*-linux-gnu*/security \
    usr/lib/*-linux-gnu*/systemd usr/libexec usr/games usr/include etc/apt etc/systemd etc/pam.d \
    var/cache var/lib/apt var/lib/pam var/lib/systemd var/log
find usr/lib/*-linux-gnu* -maxdepth 1 \( -name 'libapt-*' -o -name 'libgnutls*' -o -name 'libhogweed*' \
    -o -name 'libp11-kit*' -o -name 'libnettle*' -o -name 'libunistring*' -o -name 'libidn2*' \
    -o -name 'libsystemd*' -o -name 'libudev*' -o -name 'libgcrypt*' -o -name 'libgpg-error*' \
    -o -name 'libpam*' -o -name 'libsemanage*' -o -name 'libsepol*' -o -name 'libtasn1*' \
    -o -name 'libseccomp*' -o -name 'libext2fs*' -o -name 'libdebconfclient*' \) -delete
# Common tools for inspection stay; python itself may be here as well.
for file in usr/bin/*; do
    case "${file##*/}" in
        python* | sh | dash | bash | env | cat | ls | id | cp | mv | rm | mkdir | ln | chmod | date | echo \
            | test | '[' | true | false | sleep | head | tail | grep | sed | sort | wc | tr | cut | touch \
            | stat | du | df | uname | hostname | ldd | getent | find | tar | gzip | gunzip) ;;
        *) rm -rf "$file" ;;
    esac
done
# ldconfig tells Python where libraries are.
find usr/sbin ! -type d -not -name ldconfig -delete
find var/lib/dpkg ! -type d -not -name status -delete
for library in usr/lib/python3* usr/local/lib/python3*; do
    [ -d "$library" ] || continue
    find "$library" -name __pycache__ -prune -exec rm -rf {} +
    rm -rf "$library"/ensurepip "$library"/idlelib "$library"/lib2to3 "$library"/pydoc_data \
        "$library"/test "$library"/tkinter "$library"/turtledemo "$library"/config-* \
        "$library"/lib-dynload/_test* "$library"/site-packages/pip* \
        "$library"/site-packages/setuptools* "$library"/site-packages/pkg_resources \
        "$library"/site-packages/wheel* "$library"/site-packages/_distutils_hack
done
rm -f usr/local/bin/pip* usr/local/bin/idle* usr/local/bin/pydoc* usr/local/bin/2to3*
