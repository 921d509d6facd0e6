#!/bin/sh
# Runs inside a clean Debian without network (tests/debian/run.sh). Exits at the first thing that
# does not hold.
set -eu
export PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive
mount -t proc proc /proc
mount -t sysfs sysfs /sys  # without it TFLite mistakes the processor, on ARM with wrong results
# An emulated processor is not what the kernel says of its own.
[ ! -f /cpuinfo ] || mount --bind /cpuinfo /proc/cpuinfo
mount -t tmpfs tmpfs /tmp
mkdir -p /dev/pts /dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts /dev/pts
ln -sf pts/ptmx /dev/ptmx

at=$1
step() { echo "test-deb: $at: $*" >&2; }
holds() { "$@" || { echo "test-deb: $at: does not hold: $*" >&2; exit 1; }; }
fails() { ! "$@" 2>/dev/null || { echo "test-deb: $at: should fail: $*" >&2; exit 1; }; }
as_daemon() { setpriv --reuid=ecg-edge --regid=ecg-edge --init-groups "$@"; }
current() { basename "$(readlink -f /var/lib/ecg-edge/current)"; }

old=$(ls /packages/ecg-edge_0.9.0+*.deb)
new=$(ls /packages/ecg-edge_1.0.0+*.deb)
old_name=$(dpkg-deb -f "$old" Version)
new_name=$(dpkg-deb -f "$new" Version)

step "install"
dpkg -i "$old" >/dev/null
holds [ "$(current)" = "$old_name" ]
holds [ "$(stat -c '%U:%a' /var/lib/edge-runtime)" = ecg-edge:700 ]
id ecg-edge | grep -q dialout
as_daemon edge-runtime --version
as_daemon firmware-bridge --help >/dev/null
for folder in /usr/lib/ecg-edge /var/lib/ecg-edge; do
    holds [ -z "$(find $folder/ ! -user root)" ]
    holds [ -z "$(find $folder/ ! -type l -perm /022)" ]
done
holds [ -n "$(find /usr/lib/ecg-edge -name '*.pyc' | head -n 1)" ]
fails as_daemon touch /var/lib/ecg-edge/current.new
systemd-analyze verify --man=no ecg-edge.service
if udevadm verify --help >/dev/null 2>&1; then # since systemd 254
    udevadm verify /usr/lib/udev/rules.d/60-ecg-edge.rules
fi

step "monitor a simulated sensor, through the launcher, as the daemon's user"
as_daemon firmware-bridge simulate --link /tmp/sensor --scenario none --json >/tmp/played &
sensor=$!
for _ in $(seq 600); do [ ! -L /tmp/sensor ] || break; sleep 0.1; done
mkdir -p /etc/edge-runtime
printf '[[source]]\nname = "chest"\nport = "/tmp/sensor"\n' > /etc/edge-runtime/config.toml
as_daemon env STATE_DIRECTORY=/var/lib/edge-runtime /usr/lib/ecg-edge/launch run --json --for 30 \
    > /tmp/events
kill $sensor
wait $sensor || true
classified=$(grep -c '"type":"beat_classified"' /tmp/events)
step "$classified beats classified"
holds [ "$classified" -gt 15 ]
holds [ ! -e /var/lib/edge-runtime/release/tries ]
as_daemon edge-runtime doctor --json > /tmp/findings || true
holds [ "$(grep -o '"subject": "golden vectors [^}]*"verdict": "good"' /tmp/findings | wc -l)" -ge 3 ]

step "upgrade: the release before is kept, recordings and settings stay"
dpkg -i "$new" >/dev/null
holds [ "$(current)" = "$new_name" ]
holds [ "$(basename "$(readlink -f /var/lib/ecg-edge/previous)")" = "$old_name" ]
holds [ -f /etc/edge-runtime/config.toml ]
holds [ -n "$(ls /var/lib/edge-runtime)" ]
holds [ ! -e "/usr/lib/ecg-edge/releases/$old_name" ]

step "a release that cannot even be imported gives way"
broken=/usr/lib/ecg-edge/releases/$new_name
package=$(echo "$broken"/lib/*/site-packages/edge_runtime)
mv "$package" "$package.away"
for _ in 1 2 3; do
    fails as_daemon env STATE_DIRECTORY=/var/lib/edge-runtime /usr/lib/ecg-edge/launch --version
done
as_daemon env STATE_DIRECTORY=/var/lib/edge-runtime /usr/lib/ecg-edge/launch --version 2>/tmp/said
grep -q "$new_name did not hold in 3 tries; $old_name runs" /tmp/said
mv "$package.away" "$package"

step "an active newer release is not downgraded, one that is added is run"
ecg-edge-release activate "$old_name"
holds [ "$(current)" = "$old_name" ]
ecg-edge-release activate "$new_name"
dpkg -i "$old" >/dev/null
holds [ "$(current)" = "$new_name" ]
edge-runtime --version
dpkg -i "$old" >/dev/null # the same once more
holds [ "$(current)" = "$new_name" ]
ecg-edge-release activate "$old_name"
rm -rf "/var/lib/ecg-edge/previous" "/var/lib/ecg-edge/releases/$new_name"
ecg-edge-release add "$new"
holds [ "$(readlink -f /var/lib/ecg-edge/current)" = "/var/lib/ecg-edge/releases/$new_name" ]
edge-runtime --version

step "remove: code goes, recordings and settings stay"
dpkg -r ecg-edge >/dev/null
holds [ ! -e /usr/lib/ecg-edge ]
holds [ ! -e /var/lib/ecg-edge ]
holds [ -f /etc/edge-runtime/config.toml ]
holds [ -n "$(ls /var/lib/edge-runtime)" ]

step "install again, then purge: nothing is left but the user"
dpkg -i "$new" >/dev/null
edge-runtime --version
dpkg -P ecg-edge >/dev/null
holds [ -z "$(find / -xdev \( -name '*ecg-edge*' -o -name '*edge-runtime*' \) \
    -not -path '/proc/*' -not -path '/packages/*')" ]
