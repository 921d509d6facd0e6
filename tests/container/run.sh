#!/bin/sh
# Build the container file on a Debian made here, and run the image: without settings, with a simulated
# sensor, stopped, killed, stopped again; nothing of it may need the network or more rights.
#
#     tests/container/run.sh      root; podman and buildah, runc, mmdebstrap; PYTHON=.venv-dev/bin/python
#
# The base is Debian's own packages from its own archive, so that no registry of images is needed. It
# is made once and kept in build/container.
set -eu

here=$(cd "$(dirname "$0")/../.." && pwd)
PYTHON=${PYTHON:-"$here/.venv-dev/bin/python"}
work=$here/build/container
base=localhost/ecg-edge-test-base
image=localhost/ecg-edge-test
volume=ecg-edge-test

say() { echo "test-container: $*" >&2; }
holds() { "$@" || { say "does not hold: $*"; exit 1; }; }

[ "$(id -u)" = 0 ] || { say "needs root, to make a system"; exit 1; }
for tool in podman buildah runc mmdebstrap; do
    command -v $tool >/dev/null || { say "missing: apt-get install podman buildah runc mmdebstrap"; exit 1; }
done

# A machine without the newest control groups or with low limits runs it as well.
run() { podman --runtime runc run --network none --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 "$@"; }
# As docs/install.md advises: nothing may be written but the store, and no right is left.
confined() { run --read-only --cap-drop all --security-opt no-new-privileges "$@"; }

folder=$(mktemp -d)
sensor=
clean_up() {
    [ -z "$sensor" ] || kill "$sensor" 2>/dev/null || true
    podman rm --force --ignore --time 1 ecg-edge-test >/dev/null 2>&1 || true
    podman volume rm --force $volume >/dev/null 2>&1 || true
    podman rmi --force $image $base >/dev/null 2>&1 || true
    rm -rf "$folder"
}
trap clean_up EXIT

mkdir -p "$work"
if [ ! -f "$work/base.tar" ]; then
    say "making a slim Debian (once)"
    mmdebstrap --quiet --variant=minbase bookworm "$work/base.new.tar" http://deb.debian.org/debian
    mv "$work/base.new.tar" "$work/base.tar"
fi
say "building the package and the image"
podman import --quiet "$work/base.tar" $base >/dev/null
"$PYTHON" "$here/deploy/debian/build_package.py" --fast --suite bookworm --out "$folder/dist" >/dev/null
buildah build --quiet --isolation chroot --build-arg BASE=$base \
    -f "$here/deploy/container/Containerfile" -t $image "$folder" >"$folder/built" 2>&1 ||
    { tail -n 20 "$folder/built" >&2; exit 1; }

say "without settings it says what it misses, and ends"
status=0
confined --rm $image >"$folder/said" 2>&1 || status=$?
holds [ $status = 2 ]
holds grep -q "no source is configured" "$folder/said"

say "nobody is root in it, and the models reproduce their golden vectors"
holds [ "$(confined --rm --entrypoint id $image -un)" = ecg-edge ]
confined --rm $image doctor --json >"$folder/findings" || true
holds [ "$(grep -o '"subject": "golden vectors [^}]*"verdict": "good"' "$folder/findings" | wc -l)" -ge 3 ]

"$PYTHON" -m firmware_bridge simulate --link "$folder/sensor" --scenario none --with-parent --json >/dev/null &
sensor=$!
for _ in $(seq 600); do [ ! -L "$folder/sensor" ] || break; sleep 0.1; done
chmod 666 "$(readlink -f "$folder/sensor")"
printf '[[source]]\nname = "chest"\nport = "/dev/ttyECG"\n' >"$folder/config.toml"
chmod 755 "$folder"

monitor() {
    podman rm --force --ignore ecg-edge-test >/dev/null
    confined --detach --name ecg-edge-test --volume $volume:/var/lib/edge-runtime \
        --volume "$(readlink -f "$folder/sensor"):/dev/ttyECG" \
        --volume "$folder/config.toml:/etc/edge-runtime/config.toml:ro" $image run --json >/dev/null
    for _ in $(seq 120); do
        [ "$(beats)" -lt 15 ] || return 0
        sleep 0.5
    done
    podman logs ecg-edge-test 2>&1 | tail -n 20 >&2
    exit 1
}
beats() { podman logs ecg-edge-test 2>/dev/null | grep -c '"type":"beat_classified"' || true; }
stop() {
    podman stop --time 20 ecg-edge-test >/dev/null
    holds [ "$(podman inspect --format '{{.State.ExitCode}}' ecg-edge-test)" = 0 ]
}
sessions() { confined --rm --volume $volume:/var/lib/edge-runtime $image sessions list --json; }

say "it classifies what a sensor sends, and ends cleanly when it is stopped"
monitor
stop
say "killed, it starts again with what it had stored"
monitor
podman kill --signal KILL ecg-edge-test >/dev/null
monitor
stop
sessions >"$folder/sessions"
"$PYTHON" - "$folder/sessions" <<'EOF'
import json, sys
kept = json.load(open(sys.argv[1]))["sessions"]
ends = [session["end_reason"] for session in reversed(kept)]
assert ends == ["stopped", "the daemon was killed or lost its power", "stopped"], ends
EOF
say "all held"
