#!/usr/bin/env bash
# Installs Chromium for the test of the site, as root on Debian. Elsewhere, and where the package is missing, it does nothing: the test of
# the site is then skipped, and says so.
set -euo pipefail

for name in chromium chromium-browser google-chrome; do
  [ ! -x "/usr/bin/$name" ] || exit 0
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core fonts-liberation || echo "Chromium cannot be installed" >&2
fi
