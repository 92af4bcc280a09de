#!/usr/bin/env bash
# Install the Debian packages that the tests use, where they are missing. Needs root or sudo.
set -euo pipefail
packages=(dicom3tools pixelmed-apps libpixelmed-java dcmtk libgdcm-tools orthanc orthanc-dicomweb chromium plastimatch postgresql systemd)

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
command -v javac >/dev/null || missing+=(default-jdk-headless)
((${#missing[@]})) || exit 0

if ((EUID == 0)); then
  run=()
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
  run=(sudo)
else
  echo "the tests need these Debian packages, and there is neither root nor sudo to install them: ${missing[*]}" >&2
  echo "ask an administrator for: apt-get install --no-install-recommends ${missing[*]}" >&2
  exit 1
fi

echo "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
# With lists that are a little old the installation usually works too.
"${run[@]}" timeout 300 apt-get update -qq || echo "apt-get update failed; going on with the package lists that are there" >&2
"${run[@]}" apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "${missing[@]}" >/dev/null

# Debian starts these as services; the tests run servers of their own, and nobody asked for one on this machine.
for service in orthanc postgresql; do
  if [[ " ${missing[*]} " == *" $service "* ]] && command -v systemctl >/dev/null; then
    "${run[@]}" systemctl disable --quiet "$service.service" || echo "$service.service stays enabled; disable it yourself" >&2
    [[ ! -d /run/systemd/system ]] || "${run[@]}" systemctl stop "$service.service"
  fi
done
