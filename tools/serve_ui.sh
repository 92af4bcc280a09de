#!/usr/bin/env bash
# Serve the web UI and the daemon on loopback, with the models resident in a local Ray cluster that ends with them.
set -euo pipefail
bin="$1" port="$2"
PATH="$(cd "$bin" && pwd):$PATH"
export PATH
mkdir -p "$CT_ASSETS_STATE"
ray_port="${CT_ASSETS_RAY_PORT:-6399}"

ray start --head --block --node-ip-address=127.0.0.1 --port="$ray_port" \
  --include-dashboard=false --disable-usage-stats >"$CT_ASSETS_STATE/ray.log" 2>&1 &
ray_pid=$!
trap 'kill "$ray_pid" 2>/dev/null' EXIT

export CT_ASSETS_COMPUTE=ray CT_ASSETS_RAY_ADDRESS="127.0.0.1:$ray_port"
echo "web UI: http://127.0.0.1:$port (stop with Ctrl-C); models: Ray on 127.0.0.1:$ray_port"
# In the foreground, because Bash hides Ctrl-C from what it runs in the background.
dagster dev -w workspace.yaml -h 127.0.0.1 -p "$port"
