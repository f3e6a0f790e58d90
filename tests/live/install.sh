#!/bin/sh
# Installs the real servers and the browser that tests/live and the browser tests start (Debian or Ubuntu, root).
set -eu
packages="docker-compose chromium chromium-driver mariadb-server php-cli php-mysql php-xml php-mbstring php-intl php-curl
  searx wordpress wordpress-l10n wordpress-theme-twentytwentyone"
missing=""
for package in $packages; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $package"
done
# Elasticsearch comes by Maven (tests/support/elastic.py) and needs a whole Java, whichever is here.
java --list-modules 2> /dev/null | grep -q '^jdk.attach@' || missing="$missing openjdk-17-jdk-headless"
command -v mvn > /dev/null || missing="$missing maven"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ]; then
  echo "tests/live/install.sh: needs root to install:$missing" >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
# Servers are started by the tests themselves, never by the package scripts.
if [ ! -e /usr/sbin/policy-rc.d ]; then
  printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
  chmod +x /usr/sbin/policy-rc.d
  trap 'rm -f /usr/sbin/policy-rc.d' EXIT
fi
apt-get update -qq
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $missing > /dev/null
