#!/usr/bin/env bash
# Installs what the benchmarks compare with, pinned, into a folder of their own. Needs Python 3.11 or later with venv,
# and PyPI: the only part of Florin that does.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
peers=${FLORIN_CACHE:-$HOME/.cache/florin}/peers
say() { echo "bench-peers: $*"; }
# PyTorch is large: only where there is room for it, or where it is there already.
with=(-r "$here/requirements.txt")
room=$(df -Pm "$(dirname "$(dirname "$peers")")" 2>/dev/null | awk 'NR == 2 {print $4}')
if [ -d "$peers/lib" ] || [ "${room:-0}" -gt 16000 ]; then with+=(-r "$here/requirements-torch.txt")
else say "less than 16 GB free: without PyTorch, so bench-train will have no peer"; fi
# PyTorch allocates faster with it; bench/train.sh preloads it where it is.
if ! ldconfig -p 2>/dev/null | grep -q 'libtcmalloc\(_minimal\)\?\.so'; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get install -y -qq libtcmalloc-minimal4 >/dev/null 2>&1; then
        say "installed libtcmalloc-minimal4, which PyTorch's side of bench-train preloads"
    else say "libtcmalloc is missing, PyTorch's side of bench-train is slower without: apt-get install libtcmalloc-minimal4"; fi
fi
stamp=$(cat "${with[@]/-r//dev/null}" | sha256sum | cut -d' ' -f1)
if [ "$(cat "$peers/stamp" 2>/dev/null || true)" = "$stamp" ]; then
    say "all there, in $peers"
    exit 0
fi
if ! python3 -c 'import venv, ensurepip' 2>/dev/null; then
    say "python3-venv is missing: apt-get install python3-venv"
    exit 1
fi
say "installing from PyPI into $peers: $(cat "${with[@]/-r//dev/null}" | grep -v '^#' | tr '\n' ' ')"
python3 -m venv "$peers"
"$peers/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: "${with[@]}"
echo "$stamp" >"$peers/stamp"
say "done"
