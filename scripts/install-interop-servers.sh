#!/usr/bin/env bash
# Installs the programs that `npm run test:interop` talks to, from Debian packages. Does nothing where they are there already.
# The tests start programs of their own: no service is started here, and none that this installs is left enabled.
set -euo pipefail

PACKAGES=(redis-server postgresql memcached nginx haproxy openssh-client dovecot-imapd swaks libnet-ssleay-perl socat ncat qemu-system-common openssl python3 util-linux)

missing=()
for package in "${PACKAGES[@]}"; do
  dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null | grep -q ' installed$' || missing+=("$package")
done
if [ ${#missing[@]} = 0 ]; then
  echo "the programs for the interop tests are installed"
  exit 0
fi

if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || { echo "not root, and there is no sudo: apt-get install ${missing[*]}" >&2; exit 1; }
  exec sudo "$0"
fi

# Debian's way to say that packages may not start their services.
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
