#!/usr/bin/env bash
# Serve the web UI and the daemon on loopback, with the models resident in a local Ray cluster that ends with them.
set -euo pipefail
bin="$1" port="$2"
export PATH="$(cd "$bin" && pwd):$PATH"
mkdir -p "$CT_ASSETS_STATE"
export RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0 RAY_DISABLE_MEMORY_MONITOR=1
ray_port="${CT_ASSETS_RAY_PORT:-6399}"
if ray start --head --port="$ray_port" --include-dashboard=false --disable-usage-stats >"$CT_ASSETS_STATE/ray.log" 2>&1; then
  trap 'ray stop --force >/dev/null 2>&1' EXIT
else
  echo "Ray did not start; see $CT_ASSETS_STATE/ray.log" >&2
  exit 1
fi
export CT_ASSETS_COMPUTE=ray CT_ASSETS_RAY_ADDRESS="127.0.0.1:$ray_port"
echo "web UI: http://127.0.0.1:$port (stop with Ctrl-C)"
dagster dev -w workspace.yaml -h 127.0.0.1 -p "$port"
