#!/bin/sh
# Runs in a booted guest as a service of its own (tests/guest/service.py); says `holds WHAT` or
# `FAILS WHAT` on the console.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive

holds() { # WHAT COMMAND...
    what=$1; shift
    if "$@" >/tmp/said 2>&1; then echo "holds $what"; else echo "FAILS $what: $(tail -n 3 /tmp/said)"; fi
}
within() { # SECONDS COMMAND...
    until=$(($(date +%s) + $1)); shift
    while ! "$@"; do
        [ "$(date +%s)" -lt "$until" ] || return 1
        sleep 1
    done
}
value() { systemctl show -p "$1" --value ecg-edge; }
beats() { # AT_LEAST
    told=$(runuser -u ecg-edge -- edge-runtime status --json) || { echo "$told"; return 1; }
    n=$(echo "$told" | python3 -c '
import json, sys
print(sum(sum(source["beats"].values()) for source in json.load(sys.stdin)["sources"]))')
    [ "${n:-0}" -ge "$1" ] || { echo "$told"; return 1; }
}
restarted() { [ "$(value NRestarts)" -ge 1 ] && [ "$(value ActiveState)" = active ]; }

holds "the service is active after the boot" within 180 systemctl is-active --quiet ecg-edge
holds "it said itself that it is ready" test "$(value Type)" = notify
holds "it is not root" test "$(stat -c %U "/proc/$(value MainPID)")" = ecg-edge
holds "beats of the sensor on its serial port are classified" within 120 beats 5
holds "its reload is heard" systemctl reload ecg-edge
before=$(value MainPID)
kill -STOP "$before"
holds "the watchdog ends a daemon that hangs, and it is started again" within 150 restarted
holds "it is another process" test "$(value MainPID)" != "$before"
holds "beats again" within 120 beats 5
newer() {
    systemctl start ecg-edge-release-update.service # not while an alarm is on
    journalctl -u ecg-edge-release-update.service -n 5 --no-pager -o cat
    ls -l /var/lib/ecg-edge | grep -q "current -> .*/0.9.0+deb12"
}
holds "a newer release comes from the signed repository" within 1800 newer
runs_from() { tr '\0' '\n' <"/proc/$(value MainPID)/cmdline" | grep -q "/releases/$1/"; }
holds "and is what runs" within 180 runs_from "0.9.0+deb12"
holds "beats of the newer release" within 180 beats 5
holds "it stops as asked" systemctl stop ecg-edge
holds "without a failure" test "$(value Result)" = success
holds "the recording is whole" runuser -u ecg-edge -- edge-runtime doctor
holds "the package goes" dpkg --purge ecg-edge
holds "and leaves no unit" sh -c '! systemctl cat ecg-edge'
echo "that is all"
systemctl poweroff
