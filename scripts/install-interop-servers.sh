#!/usr/bin/env bash
# Installs the programs that `npm run test:interop` uses, from Debian packages. Does nothing if they are already installed.
# The tests start the programs themselves: this script starts no service, and disables those that it installs.
set -euo pipefail

PACKAGES=(redis-server postgresql memcached nginx libnginx-mod-stream haproxy openssh-client dovecot-imapd swaks libnet-ssleay-perl mariadb-server mosquitto python3-aiosmtpd socat ncat qemu-system-common openssl python3 util-linux systemd curl dbus-daemon dbus-bin podman runc busybox-static)

missing=()
for package in "${PACKAGES[@]}"; do
  dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null | grep -q ' installed$' || missing+=("$package")
done
if [ ${#missing[@]} = 0 ]; then
  echo "the programs for the interop tests are installed"
  exit 0
fi

if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || { echo "not root and sudo is missing; run: apt-get install ${missing[*]}" >&2; exit 1; }
  exec sudo "$0"
fi

# Debian: a policy-rc.d that exits with 101 keeps packages from starting their services.
if [ ! -e /usr/sbin/policy-rc.d ]; then
  printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
  chmod 755 /usr/sbin/policy-rc.d
  trap 'rm -f /usr/sbin/policy-rc.d' EXIT
fi

export DEBIAN_FRONTEND=noninteractive
APT=(apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold -o Dpkg::Options::=--force-unsafe-io)
"${APT[@]}" update
"${APT[@]}" install -y --no-install-recommends "${missing[@]}" >/dev/null

if [ -d /run/systemd/system ]; then
  for package in "${missing[@]}"; do systemctl disable --quiet --now "${package%-imapd}" 2>/dev/null || true; done
fi
echo "installed ${missing[*]}"
