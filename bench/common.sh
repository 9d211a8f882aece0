# Sourced by the benchmarks, with `bench` set: paths, JSON reading, result lines, medians, looks at the test.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
florin=${FLORIN:-$root/build/florin}
get=$root/build/tests/json_get
paired=$root/build/bench_paired
scores=${FLORIN_BASELINES:-$root/../shared/baselines/scores} # per-row scores of the baselines, optional
python=${FLORIN_CACHE:-$HOME/.cache/florin}/peers/bin/python # what make bench-peers installed
# In front of a command that should stay on one core: the last.
one_core=(nice -n 0)
if command -v taskset >/dev/null; then one_core=(taskset -c "$(($(nproc) - 1))"); fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
lines=()
valid=${VALID:-}

# number FILE PATH
number() { "$get" "$1" "$2"; }
# mean: of the numbers on standard input
mean() { awk '{s += $1; n++} END {printf "%.5f", s / n}'; }
# line CASE OURS PEER UNIT TARGET GOAL MEASURED [WHY]: a result line. MEASURED is held against TARGET: at least it, or at
# most it when TARGET is written "<12"; null: nothing to hold. WHY: why there is no figure (then nothing is met).
line() {
    awk -v b="$bench" -v c="$1" -v o="$2" -v p="$3" -v u="$4" -v t="$5" -v g="$6" -v m="$7" -v w="${8:-}" '
    function json(x) { return x == "null" ? x : sprintf("%.6g", x) } # .735 is not JSON, 0.735 is
    BEGIN {
        most = sub(/^</, "", t); sub(/^</, "", g)
        ratio = o == "null" || p == "null" || p == 0 ? "null" : sprintf("%.4f", o / p)
        met = w != "" ? "false" : t == "null" ? "true" : m == "null" ? "false" : \
              (most ? m + 0 <= t + 0 : m + 0 >= t + 0) ? "true" : "false"
        printf "{\"bench\":\"%s\",\"case\":\"%s\",\"ours\":%s,\"peer\":%s,\"ratio\":%s,\"unit\":\"%s\",\"target\":%s,\"goal\":%s,\"met\":%s%s}\n",
            b, c, json(o), json(p), ratio, u, json(t), json(g), met, w == "" ? "" : ",\"why\":\"" w "\"" }'
}
keep() { lines+=("$(line "$@")"); }
# over_seeds NAME PATH: mean of a figure of $scratch/NAME_0.json, _1 and _2
over_seeds() { for seed in 0 1 2; do number "$scratch/$1_$seed.json" "$2"; done | mean; }
# calibrated CASE NAME: observed over expected of the three highest tenths, each within [.8, 1.25]; as over_seeds
calibrated() {
    local d x
    for d in 1 2 3; do
        x=$(over_seeds "$2" "systems.0.metrics.observed_over_expected_$d")
        keep "$1 observed over expected, tenth $d from the top (within .8 and 1.25)" "$x" null ratio null null 0 \
            "$(awk -v x="$x" 'BEGIN {if (x < .8 || x > 1.25) print "outside [.8, 1.25]"}')"
    done
}
# median [COLUMN]: of the numbers on standard input
median() {
    awk -v f="${1:-1}" '{print $f}' | sort -g | awk '{v[NR] = $1} END {if (NR) printf "%.6g", (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2; else print "null"}'
}
# calc EXPRESSION: arithmetic, null when a part of it is
calc() { [[ $* == *null* ]] && echo null || awk "BEGIN {printf \"%.6g\", $*}"; }
# peak_scale: sets scale, this machine's fp32 peak on one core over machine B's (173 GFLOP/s), taken now; FLORIN_SCALE sets it.
peak_scale() {
    scale=${FLORIN_SCALE:-}
    [ -z "$scale" ] || return 0
    "${one_core[@]}" "$florin" doctor --bench --json >"$scratch/doctor.json" || true # it also fails on a disk that is nearly full
    scale=$(calc "$(number "$scratch/doctor.json" bench.peaks.0.giga_ops.fp32) / 173")
}
# absolute CASE OURS MUST GOAL [PEER]: events per second, held against the targets of machine B, scaled
absolute() {
    echo "$1: $2 events/s; on machine B must $3, goal $4, scaled by $scale: $(calc "$3 * $scale"), $(calc "$4 * $scale")"
    keep "$1 (must $3, goal $4 on machine B, here x $scale)" "$2" "${5:-null}" events/s "$(calc "$3 * $scale")" "$(calc "$4 * $scale")" "$2"
}
# has MODULES: can the peers' Python import them ("a, b")?
has() { [ -x "$python" ] && "$python" -c "import $1" 2>/dev/null; }
# scored_model: a network of h 256 and 200 trees of depth 6 on a small simulated log, in $scratch/model
scored_model() {
    "$florin" simulate --events 20000 --days 90 --seed 1 --out "$scratch/learn" --quiet >/dev/null
    "$florin" pretrain "$scratch/learn" --out "$scratch/net" --hidden 256 --steps 4 --quiet >/dev/null
    "$(dirname "$florin")/bench/score_model" "$scratch/learn" "$scratch/net" "$scratch/model"
}
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
