#!/usr/bin/env bash
# Docker Engine on a Debian or Ubuntu machine, as root: installed if it is missing, started if it does not answer.
# Idempotent. Meant for CI and for machines of one's own; elsewhere see https://docs.docker.com/engine/install/.
set -euo pipefail

answers() { docker info >/dev/null 2>&1; }

if answers; then
    exit 0
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "install-docker.sh: must be run as root: sudo $0" >&2
    exit 3
fi
if ! command -v dockerd >/dev/null; then
    command -v apt-get >/dev/null || { echo "install-docker.sh: no apt-get here; install Docker Engine by hand" >&2; exit 3; }
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends docker.io iptables >/dev/null
fi

log=${TMPDIR:-/tmp}/dockerd.log
# setsid: the daemon must outlive the script that starts it.
answers || setsid dockerd >"$log" 2>&1 </dev/null &

for _ in $(seq 240); do
    answers && exit 0
    sleep 0.25
done
echo "install-docker.sh: the daemon did not answer within 60 s; the end of $log:" >&2
tail -n 20 "$log" >&2
exit 1
