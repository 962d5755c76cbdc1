#!/usr/bin/env bash
# Creates the virtual environment with the pinned dependencies: setup-venv.sh PYTHON FOLDER
set -euo pipefail
python="$1" venv="$2"

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  echo "Storex needs Python 3.11 or newer as '$python'. Install it, or run: make PYTHON=/path/to/python3.11 ..." >&2
  exit 1
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  version="$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
  sudo=""; [ "$(id -u)" = 0 ] || sudo="sudo -n"
  echo "The venv module is missing; installing python$version-venv with apt ..."
  if ! { $sudo true && $sudo apt-get update -qq && $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "python$version-venv"; } >/dev/null 2>&1; then
    echo "Could not install it. Run: sudo apt-get install python$version-venv" >&2
    exit 1
  fi
fi
echo "Setting up $venv (half a minute to two minutes, most of it downloads) ..."
trap 'echo "Interrupted; the next run goes on from here." >&2; exit 130' INT TERM
# An interrupted run can leave an environment without pip: such a one is made anew.
"$venv/bin/python" -m pip --version >/dev/null 2>&1 || "$python" -m venv --clear "$venv"
"$venv/bin/python" -m pip --disable-pip-version-check --quiet install --constraint constraints.txt --editable '.[dev]'
