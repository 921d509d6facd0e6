#!/bin/sh
# Build the package and, in a clean Debian of each suite: install it without network, run it, upgrade
# it, fall back, upgrade the release alone, remove and purge it. Builds it twice and compares bytes.
#
#     tests/debian/run.sh [SUITE...]      default: bookworm trixie. Root (chroot); PYTHON=.venv-dev/bin/python
#
# The clean systems are made once and kept in build/debian. Host packages: mmdebstrap, lintian.
# ARCHITECTURE=arm64 (default: amd64) on a kernel that runs such programs by qemu (tests/arm/run.sh).
set -eu

here=$(cd "$(dirname "$0")/../.." && pwd)
PYTHON=${PYTHON:-"$here/.venv-dev/bin/python"}
work=${ECG_EDGE_DEBIAN_ROOTS:-"$here/build/debian"}
architecture=${ARCHITECTURE:-amd64}
BASE=python3,systemd,udev,libstdc++6,libgcc-s1
builder=$here/deploy/debian/build_package.py

say() { echo "test-deb: $*" >&2; }

clean_system() { # SUITE
    made=$work/$1-$architecture.tar
    [ -f "$made" ] && return
    say "making a clean $1 for $architecture (once)"
    mkdir -p "$work"
    mmdebstrap --quiet --variant=apt --architectures="$architecture" --include="$BASE" \
        "$1" "$made.new.tar" http://deb.debian.org/debian
    mv "$made.new.tar" "$made"
}

build() { # SUITE VERSION FOLDER
    "$PYTHON" "$builder" --fast --architecture "$architecture" --suite "$1" --version "$2" --out "$3" >/dev/null
}

test_suite() { # SUITE
    clean_system "$1"
    root=$(mktemp -d "$work/root-XXXXXX")
    packages=$root/packages
    trap 'rm -rf "$root"' EXIT
    tar -C "$root" -xf "$work/$1-$architecture.tar" --exclude='./dev/*'
    say "$1: building releases"
    build "$1" 0.9.0 "$packages"
    build "$1" 1.0.0 "$packages"
    build "$1" 1.0.0 "$packages/again"
    cmp "$packages"/ecg-edge_1.0.0+*.deb "$packages"/again/ecg-edge_1.0.0+*.deb
    say "$1: built twice, the same bytes"
    [ -n "${SKIP_LINTIAN:-}" ] || lintian --fail-on error,warning "$packages"/ecg-edge_1.0.0+*.deb
    mkdir -p "$root/dev" && mknod -m 666 "$root/dev/null" c 1 3 2>/dev/null || true
    [ -e "$root/dev/urandom" ] || mknod -m 666 "$root/dev/urandom" c 1 9
    cp "$here/tests/debian/in_the_system.sh" ${PROCESSORS:+"$PROCESSORS"} "$root/"
    # No network for the system: what needs one fails.
    unshare --net --mount --pid --fork --kill-child chroot "$root" \
        /bin/sh /in_the_system.sh "$1"
    rm -rf "$root"
    trap - EXIT
}

[ "$(id -u)" = 0 ] || { say "needs root, for chroot"; exit 1; }
for tool in mmdebstrap lintian unshare; do
    command -v $tool >/dev/null || { say "missing: apt-get install mmdebstrap lintian"; exit 1; }
done
[ $# -gt 0 ] || set -- bookworm trixie
for suite in "$@"; do
    test_suite "$suite"
    say "$suite: all held"
done
