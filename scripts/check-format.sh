#!/usr/bin/env bash
# Every C file is as clang-format 14 would write it; with --fix, makes it so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
tool=clang-format-14
command -v $tool >/dev/null || { echo "check-format: $tool is missing: scripts/setup.sh --checks installs it" >&2; exit 1; }
mapfile -t files < <(find src app include tests bench examples -name '*.[ch]' 2>/dev/null | sort)
if [ "${1:-}" = --fix ]; then
    $tool -i "${files[@]}"
else
    $tool --dry-run -Werror "${files[@]}" || { echo "check-format: run make format" >&2; exit 1; }
    echo "check-format: ${#files[@]} files are well"
fi
