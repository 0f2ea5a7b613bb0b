# setup.sh: what spec/run, spec/bench and examples/quickstart share. Sourced by bash, from anywhere.
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
LOGS=$ROOT/build/log
: "${HOME:=$(getent passwd "$(id -u)" | cut -d: -f6)}"
export HOME LC_ALL=C.UTF-8

BUILD_PACKAGES=(tzdata gcc libc6-dev cmake ninja-build pkg-config ca-certificates liblua5.4-dev libuv1-dev libcurl4-openssl-dev
  libyaml-dev libjansson-dev libmicrohttpd-dev libssl-dev libseccomp-dev lua5.4 lua-busted lua-check lua-cjson lua-argparse
  lua-filesystem)
CHECK_PACKAGES=(clang valgrind)
CLUSTER_PACKAGES=(curl jq openssl iproute2 util-linux wrk)

say() { printf '== %s (%d s)\n' "$*" "$SECONDS"; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; return; fi
  command -v sudo >/dev/null || { echo "neither root nor sudo: cannot run $*" >&2; return 1; }
  if [ -t 0 ]; then sudo "$@"; else sudo -n "$@"; fi
}

# packages NAME...: installs those that are missing; asks apt nothing when none is.
packages() {
  local missing=() name
  for name; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || missing+=("$name")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  say "installing ${missing[*]}"
  as_root apt-get update -q && as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -q -y --no-install-recommends "${missing[@]}"
}

# quietly NAME COMMAND...: output goes to build/log/NAME.log, and is shown when the command fails.
quietly() {
  local name=$1 code; shift
  mkdir -p "$LOGS"
  "$@" >"$LOGS/$name.log" 2>&1 </dev/null && return
  code=$?
  tail -n 150 "$LOGS/$name.log"
  echo "$name failed with code $code; all of its output is in build/log/$name.log"
  return $code
}

# build PRESET [COMPILER]
build() {
  if [ ! -e "$ROOT/build/$1/build.ninja" ]; then
    CC=${2:-gcc} quietly "configure-$1" cmake -S "$ROOT" --preset "$1" || return
  fi
  quietly "build-$1" cmake --build "$ROOT/build/$1"
}

# go_ready: Go is there, and can write its caches.
go_ready() {
  command -v go >/dev/null || {
    echo "The real-cluster tier builds its control plane from source and needs Go 1.26 or newer, or an older one from" >&2
    echo "1.21 on that may fetch it (GOTOOLCHAIN=auto). There is no go in PATH: see the Go project's installation page." >&2
    return 1
  }
  local modules
  modules=$(cd "$ROOT/spec/cluster/play" && go env GOMODCACHE) || return
  if ! mkdir -p "$modules" 2>/dev/null || [ ! -w "$modules" ]; then
    export GOMODCACHE=$HOME/.cache/go-mod
  fi
}
