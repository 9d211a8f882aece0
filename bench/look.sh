#!/usr/bin/env bash
# look.sh BENCH HASH FIGURES...: a benchmark calls this when it has judged a recipe or model on test data. HASH names
# what was judged (of the recipe's files and the model). The first time a hash is seen, a line with date, commit and
# figures is appended to docs/test-looks.md; the same hash again is not a new look. Under VALID=1 nothing was looked
# at, and nothing is written.
set -euo pipefail
[ $# -ge 3 ] || { echo "usage: look.sh BENCH HASH FIGURES..." >&2; exit 2; }
bench=$1 hash=$2
shift 2
[ -z "${VALID:-}" ] || exit 0
[[ $bench =~ ^[a-z_-]+$ && $hash =~ ^[0-9a-f]{8,64}$ ]] || { echo "look.sh: '$bench' or '$hash' is no name or hash" >&2; exit 2; }
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
looks=${FLORIN_LOOKS:-$root/docs/test-looks.md}
if grep -q "| $bench | \`$hash\` |" "$looks"; then exit 0; fi
commit=$(git -C "$root" rev-parse --short HEAD 2>/dev/null || echo unknown)
[ -z "$(git -C "$root" status --porcelain -uno 2>/dev/null)" ] || commit+=" and changes"
figures=${*//|/\/}
echo "| $(date -u +%Y-%m-%d) | $bench | \`$hash\` | $commit | ${figures//$'\n'/ } |" >>"$looks"
echo "a new look at the test: written down in docs/test-looks.md"
