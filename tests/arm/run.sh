#!/bin/sh
# Replay the shipped bundle set's golden vectors, all three tiers, on an emulated Cortex-A72.
#
#     tests/arm/run.sh [ROOT]        ROOT: where the arm64 root is made and kept (default build/arm)
#
# Nothing of the host is changed except, as root, the packages below if they are missing. The root
# is made once: Debian's own arm64 packages unpacked, never configured, and the aarch64 wheels of
# this project's device side. qemu's user mode runs it without chroot or binfmt. It proves that the
# results are exact on ARM; it says nothing about speed.
set -eu

HOST_PACKAGES="debootstrap qemu-user-static"
SUITE=bookworm
ARM_PACKAGES="python3.11,libstdc++6,libgcc-s1"
# The versions that the results were first checked with.
WHEELS="ai-edge-litert==1.2.0 numpy==2.4.6 scipy==1.17.1 msgspec==0.22.0
        cattrs==26.2.1 attrs==26.1.0 typing_extensions==4.16.0"
PYTHON=${PYTHON:-python3}

here=$(cd "$(dirname "$0")/../.." && pwd)
root=${1:-"$here/build/arm"}

say() { echo "test-arm: $*" >&2; }

need_host_packages() {
    command -v debootstrap >/dev/null && command -v qemu-aarch64-static >/dev/null && return
    if [ "$(id -u)" != 0 ]; then
        say "missing: sudo apt-get install $HOST_PACKAGES"
        exit 1
    fi
    say "installing $HOST_PACKAGES"
    apt-get update -qq
    # shellcheck disable=SC2086
    apt-get install -y -qq --no-install-recommends $HOST_PACKAGES >/dev/null
}

make_root() {
    say "fetching Debian $SUITE for arm64 into $root (once, about two minutes)"
    rm -rf "$root.new"
    mkdir -p "$root.new"
    # Foreign: downloads and unpacks, runs nothing. What is not essential stays a .deb; unpack it.
    debootstrap --foreign --arch=arm64 --variant=minbase --include="$ARM_PACKAGES" \
        "$SUITE" "$root.new" http://deb.debian.org/debian >"$root.log" 2>&1 ||
        { tail -n 20 "$root.log" >&2; exit 1; }
    for package in "$root.new"/var/cache/apt/archives/*.deb; do
        dpkg -x "$package" "$root.new"
    done
    rm -rf "$root.new/var/cache/apt/archives"
    give_it_an_arm_processor "$root.new"
    fetch_wheels "$root.new"
    mv "$root.new" "$root"
}

# The runtime asks which processor it is on; without this file it would read the host's and crash.
give_it_an_arm_processor() {
    mkdir -p "$1/proc"
    for core in 0 1 2 3; do
        printf 'processor\t: %s\nBogoMIPS\t: 108.00\n' "$core"
        printf 'Features\t: fp asimd evtstrm crc32 cpuid\n'
        printf 'CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\n'
        printf 'CPU part\t: 0xd08\nCPU revision\t: 3\n\n'
    done >"$1/proc/cpuinfo"
}

fetch_wheels() {
    mkdir -p "$1/wheels" "$1/opt/device"
    # shellcheck disable=SC2086
    "$PYTHON" -m pip download -q --disable-pip-version-check --no-deps --only-binary=:all: \
        --python-version 3.11 --implementation cp --abi cp311 --abi abi3 --abi none \
        --platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 \
        --platform manylinux2014_aarch64 --platform manylinux_2_17_aarch64 \
        -d "$1/wheels" $WHEELS
    for wheel in "$1"/wheels/*.whl; do
        "$PYTHON" -m zipfile -e "$wheel" "$1/opt/device"
    done
}

need_host_packages
[ -d "$root" ] || make_root
say "replaying on an emulated Cortex-A72"
# qemu's default processor gave wrong INT8 results.
QEMU_CPU=cortex-a72 QEMU_LD_PREFIX="$root" PYTHONHOME="$root/usr" \
    PYTHONPATH="$root/opt/device:$here" PYTHONDONTWRITEBYTECODE=1 \
    qemu-aarch64-static "$root/usr/bin/python3.11" -m edge_runtime.golden_engine
