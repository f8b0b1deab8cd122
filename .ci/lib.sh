# Shared by the scripts beside it; source it first. Works with bash 3.2, the one macOS ships.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

target=${CARGO_TARGET_DIR:-$root/target}
case $target in
  /*) ;;
  *) target=$root/$target ;;
esac
site=$target/site
# Own tools go to a folder of their own: nothing that is already installed changes.
tools=${XDG_CACHE_HOME:-$HOME/.cache}/ai-configurator/tools
export PATH="$tools/bin:$HOME/.cargo/bin:$PATH"

say() { printf '\n== %s\n' "$*"; }

fail() {
  printf '\n%s\n' "$*" >&2
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# The command that prints SHA-256 digests.
if have sha256sum; then digest=(sha256sum); else digest=(shasum -a 256); fi

# Prints the browser for the tests, if there is one.
find_browser() {
  local candidate
  for candidate in "${CHROMIUM:-}" chromium chromium-browser google-chrome \
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome' \
    '/Applications/Chromium.app/Contents/MacOS/Chromium'; do
    if [ -n "$candidate" ] && command -v "$candidate" 2>/dev/null; then return 0; fi
  done
  return 1
}
