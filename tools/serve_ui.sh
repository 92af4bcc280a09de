#!/usr/bin/env bash
# Serve the web UI, the daemon and the pages of the results on loopback, with the models resident in a local Ray cluster;
# all of it ends together.
set -euo pipefail
bin="$1" port="$2"
PATH="$(cd "$bin" && pwd):$PATH"
export PATH
mkdir -p "$CT_ASSETS_STATE"
ray_port="${CT_ASSETS_RAY_PORT:-6399}"
# Ray listens on every address of the machine and runs what it is sent: only from those who can read the token.
export RAY_AUTH_MODE="${RAY_AUTH_MODE:-token}"
if [ "$RAY_AUTH_MODE" = token ] && [ -z "${RAY_AUTH_TOKEN:-}${RAY_AUTH_TOKEN_PATH:-}" ]; then
  RAY_AUTH_TOKEN_PATH="$(cd "$CT_ASSETS_STATE" && pwd)/ray_token"
  export RAY_AUTH_TOKEN_PATH
  if [ ! -s "$RAY_AUTH_TOKEN_PATH" ]; then
    (umask 077 && python -c 'import secrets; print(secrets.token_hex(32), end="")' >"$RAY_AUTH_TOKEN_PATH.new")
    mv "$RAY_AUTH_TOKEN_PATH.new" "$RAY_AUTH_TOKEN_PATH"
  fi
  chmod 600 "$RAY_AUTH_TOKEN_PATH"
fi

ray start --head --block --node-ip-address=127.0.0.1 --port="$ray_port" \
  --include-dashboard=false --disable-usage-stats >"$CT_ASSETS_STATE/ray.log" 2>&1 &
ray_pid=$!

home="${CT_ASSETS_HOME:-$PWD/data}"
home="${home/#\~/$HOME}"
pages_port="${CT_ASSETS_PAGES_PORT:-$((port + 1))}"
mkdir -p "$home"
python -m http.server "$pages_port" --bind 127.0.0.1 --directory "$home" >"$CT_ASSETS_STATE/pages.log" 2>&1 &
pages_pid=$!
trap 'kill "$ray_pid" "$pages_pid" 2>/dev/null' EXIT
sleep 0.5
kill -0 "$pages_pid" 2>/dev/null || {
  echo "no port for the pages of the results (CT_ASSETS_PAGES_PORT): $(tail -1 "$CT_ASSETS_STATE/pages.log")" >&2
  exit 1
}
export CT_ASSETS_PAGES_URL="${CT_ASSETS_PAGES_URL:-http://127.0.0.1:$pages_port}"

# A backfill that is looked at while the code is loaded again goes on after that; without this it fails for good.
export DAGSTER_BACKFILL_RETRY_DEFINITION_CHANGED_ERROR=1
export CT_ASSETS_COMPUTE=ray CT_ASSETS_RAY_ADDRESS="127.0.0.1:$ray_port"
echo "web UI: http://127.0.0.1:$port (stop with Ctrl-C); models: Ray on 127.0.0.1:$ray_port"
# In the foreground, because Bash hides Ctrl-C from what it runs in the background.
dagster dev -w workspace.yaml -h 127.0.0.1 -p "$port"
