# Sourced by the quality benchmarks: paths, JSON reading, result lines, looks at the test.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
florin=${FLORIN:-$root/build/florin}
get=$root/build/tests/json_get
paired=$root/build/bench_paired
scores=${FLORIN_BASELINES:-$root/../shared/baselines/scores} # per-row scores of the baselines, optional
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
lines=()
valid=${VALID:-}

# number FILE PATH
number() { "$get" "$1" "$2"; }
# mean: of the numbers on standard input
mean() { awk '{s += $1; n++} END {printf "%.5f", s / n}'; }
# line CASE OURS PEER UNIT TARGET GOAL MEASURED [WHY]: keeps a result line. MEASURED is held against TARGET (null: none).
line() {
    awk -v b="$bench" -v c="$1" -v o="$2" -v p="$3" -v u="$4" -v t="$5" -v g="$6" -v m="$7" -v w="${8:-}" '
    function json(x) { return x == "null" ? x : sprintf("%.6g", x) } # .735 is not JSON, 0.735 is
    BEGIN {
        ratio = p == "null" || p == 0 ? "null" : sprintf("%.4f", o / p)
        met = w != "" ? "false" : t == "null" ? "true" : m + 0 >= t + 0 ? "true" : "false"
        printf "{\"bench\":\"%s\",\"case\":\"%s\",\"ours\":%s,\"peer\":%s,\"ratio\":%s,\"unit\":\"%s\",\"target\":%s,\"goal\":%s,\"met\":%s%s}\n",
            b, c, json(o), json(p), ratio, u, json(t), json(g), met, w == "" ? "" : ",\"why\":\"" w "\"" }'
}
keep() { lines+=("$(line "$@")"); }
# baseline NAME: path of a baseline's per-row scores, unpacked; fails aloud when absent
baseline() {
    if [ ! -f "$scores/$1.csv.zst" ]; then
        echo "$1.csv.zst is not in ${FLORIN_BASELINES:-\$FLORIN_BASELINES or ../shared/baselines/scores}: no paired comparison" >&2
        return 1
    fi
    zstd -dqf "$scores/$1.csv.zst" -o "$scratch/$1.csv"
    echo "$scratch/$1.csv"
}
# look FIGURES MODEL ...: a plain run with new models is a look at the test and is written down.
look() {
    local figures=$1
    shift
    [ -z "$valid" ] || return 0
    "$root/bench/look.sh" "$bench" "$(cat "$@" | sha256sum | cut -c1-16)" "$figures"
}
