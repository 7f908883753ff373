# Makes a fresh clone able to run our TypeScript. Sourced by every command in scripts/, which are plain `sh` for that reason:
# whatever Node is on the machine brings npm, npm brings the pinned Node (an ordinary package, no install script), and that
# one runs the rest. Everything said here goes to stderr, because some commands' stdout is their answer.
#
# Leaves behind: $root (the checkout), $node (the pinned Node), and node_modules/.bin first on PATH.

set -eu
root=$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd)
stamp=$root/node_modules/.petiole-lock # the lockfile that the last `npm ci` of ours installed
hidden=$root/node_modules/.package-lock.json # written last by every npm install

say() { printf 'petiole: %s\n' "$*" >&2; }
stop() {
  say "$@"
  exit 1
}

# By content first: a checkout that goes back and forth changes times, not what is wanted.
installed() {
  [ -e "$hidden" ] || return 1
  cmp -s "$root/package-lock.json" "$stamp" || ! [ "$root/package-lock.json" -nt "$hidden" ]
}

install() {
  command -v node > /dev/null 2>&1 || stop "no Node on this machine. Install any Node from 20 up, with npm (Debian 13, Ubuntu 24.10 or newer: apt-get install nodejs npm), then run this again."
  command -v npm > /dev/null 2>&1 || stop "Node $(node --version) is here, npm is not. Install npm (Debian, Ubuntu: apt-get install npm), then run this again."
  major=$(node -p 'process.versions.node.split(".")[0]')
  [ "$major" -ge 20 ] || stop "Node $(node --version) is too old even to start with: wanted 20 or newer. Install one, then run this again."
  say "installing the packages of package-lock.json into node_modules (npm $(npm --version), Node $(node --version)) …"
  # --include: whatever NODE_ENV or the user's npm settings leave out, we need the tools and the pinned Node.
  (cd "$root" && npm ci --include=dev --include=optional < /dev/null >&2) ||
    stop "npm ci failed; the lines above say why. It needs the package registry (npm config get registry), a writable $root and some 500 MB of disk. Nothing else was changed; run this again when it is mended."
  cp "$root/package-lock.json" "$stamp"
  say "installed."
}

if ! installed; then
  mkdir -p "$root/.cache" || stop "cannot write to $root: wanted a checkout that this user may write to."
  # Two commands started together: the second waits, then finds everything there.
  if command -v flock > /dev/null 2>&1; then
    exec 9> "$root/.cache/bootstrap.lock"
    flock 9
  fi
  installed || install
  exec 9>&-
fi

case $(uname -m) in
  x86_64) cpu=x64 ;;
  aarch64 | arm64) cpu=arm64 ;;
  *) cpu=$(uname -m) ;;
esac
node=$root/node_modules/.bin/node
# npm 11 links it; npm 9 and 10 install the package and leave out the link.
if [ ! -x "$node" ] && [ -x "$root/node_modules/node-linux-$cpu/bin/node" ]; then
  ln -sf "../node-linux-$cpu/bin/node" "$node"
fi
if [ ! -x "$node" ]; then
  node=$(command -v node || true)
  major=$([ -z "$node" ] || "$node" -p 'process.versions.node.split(".")[0]')
  [ "${major:-0}" -ge 26 ] || stop "the pinned Node is not in node_modules: its package, node-linux-$cpu, comes for 64-bit Linux on x86_64 and aarch64 only, and this is $(uname -s) on $(uname -m). Elsewhere put a Node from 26 up on the PATH; found ${node:-none}${major:+ of version $major}."
fi
PATH=$root/node_modules/.bin:$PATH
export PATH
