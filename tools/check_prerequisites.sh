#!/usr/bin/env bash
# Check by name what the installation needs from the machine, and say how to get what is missing.
set -euo pipefail
python="$1"
missing=()

command -v git >/dev/null || missing+=("git (Debian package: git)")
command -v cc >/dev/null || missing+=("a C compiler, cc (Debian package: build-essential)")
if ! command -v "$python" >/dev/null; then
  missing+=("Python 3.11, $python (Debian packages: python3.11 python3.11-venv python3.11-dev; or make PYTHON=/path/to/python3.11)")
else
  "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' \
    || missing+=("Python 3.11: $python is $("$python" --version 2>&1)")
  "$python" -c 'import venv, ensurepip' 2>/dev/null || missing+=("Python's venv module (Debian package: python3.11-venv)")
  "$python" -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_paths()["include"] + "/Python.h"))' \
    || missing+=("Python.h (Debian package: python3.11-dev)")
fi

if ((${#missing[@]})); then
  echo "ct-assets cannot be installed, because this is missing:" >&2
  printf '  - %s\n' "${missing[@]}" >&2
  exit 1
fi
