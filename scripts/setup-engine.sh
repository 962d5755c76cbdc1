#!/usr/bin/env bash
# Makes sure that there is a database server for the demo and the tests: MariaDB's binaries, without a service.
set -euo pipefail
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/libexec"

[ -z "${STOREX_MYSQLD:-}" ] || exit 0
if command -v mariadbd >/dev/null || command -v mysqld >/dev/null; then
  exit 0
fi
remedy="Install MariaDB's server binaries (Debian, Ubuntu: sudo apt-get install mariadb-server-core), or name a server's command line in STOREX_MYSQLD."
sudo=""
[ "$(id -u)" = 0 ] || sudo="sudo -n"
if ! command -v apt-get >/dev/null || ! $sudo true 2>/dev/null; then
  echo "No database server was found. $remedy" >&2
  exit 1
fi
echo "No database server was found; installing mariadb-server-core with apt ..."
log="$(mktemp)"
trap 'rm -f "$log"' EXIT
install() { $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends mariadb-server-core; }
# The package lists may be absent or old: fetch them only where the first try fails.
if ! install >"$log" 2>&1 && ! { $sudo apt-get update -qq && install; } >"$log" 2>&1; then
  tail -5 "$log" >&2
  echo "It could not be installed. $remedy" >&2
  exit 1
fi
