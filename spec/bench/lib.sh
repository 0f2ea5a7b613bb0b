# lib.sh: runs a bench written in Lua inside a control plane of its own. Sourced by the scripts of this folder.
. "$(dirname "${BASH_SOURCE[0]}")/../support/setup.sh"
cd "$ROOT" || exit 1

# bench NAME: builds, starts a control plane, runs spec/bench/NAME.lua in its network, stops it. What was measured
# is the last line of stdout; everything else goes to stderr.
bench() {
  export CLUSTER_DIR=$ROOT/build/bench CRDS=istio WITHOUT=traefik SERIN=${SERIN:-build/release/serin}
  { packages "${BUILD_PACKAGES[@]}" "${CLUSTER_PACKAGES[@]}" && go_ready && build release && spec/cluster/install; } >&2 ||
    return
  spec/cluster/down "$CLUSTER_DIR"
  trap 'spec/cluster/down "$CLUSTER_DIR"' EXIT
  quietly bench-up spec/cluster/up "$CLUSTER_DIR" >&2 || return
  spec/cluster/exec build/release/serin_test "spec/bench/$1.lua"
}
