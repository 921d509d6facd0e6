#!/bin/sh
# The Debian package for arm64 on an emulated Cortex-A72: the shipped models' golden vectors, all three
# tiers, and beats of a simulated sensor, by the interpreter and libraries that the package brings.
#
#     tests/arm/run.sh [ROOT]        ROOT: where the arm64 root is made and kept (default build/arm)
#
# Nothing of the host is changed except, as root, the packages below if they are missing. The root
# is made once: Debian's own arm64 packages unpacked, never configured; the package of this tree is
# built and unpacked into it each time. qemu's user mode runs it without chroot or binfmt. Where the
# kernel can be told to run ARM programs by qemu (binfmt_misc), the package is then installed,
# upgraded and purged as on amd64 (tests/debian/run.sh). It proves that the results are exact on ARM;
# it says nothing about speed.
set -eu

HOST_PACKAGES="debootstrap mmdebstrap arch-test lintian qemu-user-static"
SUITE=bookworm
ARM_PACKAGES="python3.11,libstdc++6,libgcc-s1"
PYTHON=${PYTHON:-"$(cd "$(dirname "$0")/../.." && pwd)/.venv-dev/bin/python"}

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
    rm -rf "$root.new/dev" # the machine's own pseudo terminals are meant
    give_it_an_arm_processor "$root.new"
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

unpack_package() {
    say "building the package for arm64"
    rm -rf "$root/package" "$root/usr/lib/ecg-edge"
    "$PYTHON" "$here/deploy/debian/build_package.py" --fast --suite "$SUITE" \
        --architecture arm64 --out "$root/package" >/dev/null
    dpkg -x "$root"/package/*.deb "$root"
}

# qemu's default processor gave wrong INT8 results. The package's interpreter is a link into its own
# system; here that system is $root.
arm_python() {
    QEMU_CPU=cortex-a72 QEMU_LD_PREFIX="$root" PYTHONHOME="$root/usr" \
        PYTHONPATH=$(echo "$root"/usr/lib/ecg-edge/packaged/lib/python*/site-packages) \
        PYTHONDONTWRITEBYTECODE=1 \
        qemu-aarch64-static "$root/usr/bin/python3.11" -P "$@"
}

monitor_simulated_sensor() {
    run=$(mktemp -d)
    arm_python -m firmware_bridge simulate --link "$run/sensor" --scenario none --json \
        --with-parent >"$run/played" &
    sensor=$!
    while [ ! -L "$run/sensor" ] && kill -0 $sensor; do sleep 0.2; done
    arm_python -m edge_runtime run --json --for 60 --set source.0.port="$run/sensor" \
        --set store.directory="$run/store" >"$run/events"
    kill $sensor
    wait $sensor || true
    classified=$(grep -c '"type":"beat_classified"' "$run/events" || true)
    rm -rf "$run"
    say "$classified beats of a simulated sensor classified in 60 s"
    [ "$classified" -gt 20 ]
}

# Root only. qemu's own words for the kernel: F, the interpreter is opened now, so that systems need
# not have it; P, argv[0] is kept.
kernel_runs_arm() {
    formats=/proc/sys/fs/binfmt_misc
    [ -e $formats/register ] || mount -t binfmt_misc binfmt_misc $formats 2>/dev/null || return 1
    [ ! -e $formats/qemu-aarch64 ] || return 0
    cat /usr/lib/binfmt.d/qemu-aarch64.conf >$formats/register 2>/dev/null
}

need_host_packages
[ -d "$root" ] || make_root
unpack_package
say "replaying on an emulated Cortex-A72"
arm_python -m edge_runtime.golden_engine
monitor_simulated_sensor
if kernel_runs_arm; then
    say "installing the package on an emulated Cortex-A72"
    cp "$root/proc/cpuinfo" "$root/cpuinfo"
    QEMU_CPU=cortex-a72 ARCHITECTURE=arm64 PROCESSORS="$root/cpuinfo" PYTHON="$PYTHON" \
        "$here/tests/debian/run.sh" "$SUITE"
else
    say "this kernel runs no ARM programs (binfmt_misc): the package was unpacked, not installed"
fi
