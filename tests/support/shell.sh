# What the shell tests share. A test begins with:
#   . "$FLORIN_SOURCE/tests/support/shell.sh"
# It is then in an empty scratch folder, $FLORIN is the program, and these stand ready:
#   ok CMD...                 runs CMD; a non-zero exit fails the test and shows the output
#   fails CODE REGEX CMD...   CMD must exit with CODE and say one line on stderr that matches REGEX
#   has FILE REGEX, lacks FILE REGEX, same FILE FILE, equal A B
#   json FILE PATH            value at PATH ("rows.0.name", "#" counts) of a JSON file, - is standard input
#   no_nan FILE...            no NaN or infinity in the text of the files
#   small_disk SIZE           makes ./disk a file system of SIZE ("8m"); skips the rest aloud where it can't
#   as_nobody CMD...          runs CMD as an unprivileged user; $FLORIN in CMD is a copy that this user can run
#   need_data FILE            puts the path of a data set in $DATA or skips aloud (exit 77)
#   skip WHY                  says why and leaves with 77
# The last command of a test is `done_testing`.
set -euo pipefail
FLORIN=$(readlink -f "$1")
SCRATCH=$2
TOOLS=$(dirname "$FLORIN")/tests
rm -rf "$SCRATCH"
mkdir -p "$SCRATCH"
SCRATCH=$(readlink -f "$SCRATCH")
cd "$SCRATCH"
CHECKS=0
CLEAN=()
cleanup() {
    local code=$? c
    for c in ${CLEAN[@]+"${CLEAN[@]}"}; do eval "$c" || true; done
    if [ "$code" != 0 ] && [ "$code" != 77 ]; then echo "failed after $CHECKS checks; files are in $SCRATCH"; fi
    exit "$code"
}
trap cleanup EXIT

# FLORIN_TEST_ALL=1 goes on after a failure, to see all of them at once.
FAILURES=0
die() {
    echo "FAILED (line ${BASH_LINENO[1]}): $*"
    FAILURES=$((FAILURES + 1))
    [ -n "${FLORIN_TEST_ALL:-}" ] || exit 1
}
skip() { echo "skipped: $*"; exit 77; }
ok() {
    local code=0
    "$@" >out.txt 2>err.txt || code=$?
    [ "$code" = 0 ] || { head -c 4000 out.txt err.txt; die "exit $code: $*"; }
    CHECKS=$((CHECKS + 1))
}
fails() {
    local want=$1 regex=$2 code=0
    shift 2
    "$@" >out.txt 2>err.txt || code=$?
    [ "$code" = "$want" ] || { head -c 4000 out.txt err.txt; die "exit $code, not $want: $*"; }
    grep -Eqi -- "$regex" err.txt || { head -c 4000 err.txt; die "no message like '$regex': $*"; }
    # One clear line; usage errors add the line that names --help.
    local lines
    lines=$(grep -vc "^Try 'florin" err.txt || true)
    [ "$lines" -le 2 ] || { head -c 4000 err.txt; die "$lines lines instead of one: $*"; }
    CHECKS=$((CHECKS + 1))
}
has() { grep -Eq -- "$2" "$1" || { head -c 4000 "$1"; die "$1 has nothing like '$2'"; }; CHECKS=$((CHECKS + 1)); }
lacks() { ! grep -Eq -- "$2" "$1" || { grep -En -- "$2" "$1" | head -5; die "$1 has '$2'"; }; CHECKS=$((CHECKS + 1)); }
same() { cmp -s "$1" "$2" || die "$1 and $2 differ"; CHECKS=$((CHECKS + 1)); }
equal() { [ "$1" = "$2" ] || die "'$1' is not '$2'"; CHECKS=$((CHECKS + 1)); }
json() { "$TOOLS/json_get" "$@"; }
no_nan() {
    local f
    for f in "$@"; do
        ! grep -aEiq '(^|[^[:alnum:]_])[-+]?(nan|inf|infinity)([^[:alnum:]_]|$)' "$f" || die "$f holds NaN or infinity"
    done
    CHECKS=$((CHECKS + 1))
}
small_disk() {
    mkdir -p disk
    if [ "$(id -u)" != 0 ] || ! mount -t tmpfs -o "size=$1,mode=1777" florin-test disk 2>/dev/null; then
        skip "a small file system needs root and the right to mount; the rest of this test was not run"
    fi
    CLEAN+=("umount '$SCRATCH/disk'")
}
# The program and its shared library in a folder that anyone can read, made once.
public_program() {
    [ -z "${PUBLIC:-}" ] || return 0
    PUBLIC=$(mktemp -d /tmp/florin-public-XXXXXX)
    CLEAN+=("rm -rf '$PUBLIC'")
    chmod 755 "$PUBLIC"
    cp "$FLORIN" "$PUBLIC/florin"
    local lib
    lib=$(ldd "$FLORIN" | awk '/libduckdb/ {print $3}')
    [ -z "$lib" ] || cp "$lib" "$PUBLIC/"
    chmod 755 "$PUBLIC"/*
}
as_nobody() {
    if [ "$(id -u)" != 0 ]; then "$@"; return; fi
    command -v setpriv >/dev/null || skip "setpriv is missing: can't drop root"
    public_program
    local args=() a
    for a in "$@"; do if [ "$a" = "$FLORIN" ]; then args+=("$PUBLIC/florin"); else args+=("$a"); fi; done
    setpriv --reuid=65534 --regid=65534 --clear-groups env LD_LIBRARY_PATH="$PUBLIC" "${args[@]}"
}
# A folder that the unprivileged user can reach, for files of as_nobody: $PUBLIC/NAME, mode 0777.
public_folder() {
    public_program
    mkdir -p "$PUBLIC/$1"
    chmod 777 "$PUBLIC/$1"
}
need_data() {
    DATA=$("$FLORIN_SOURCE/scripts/data.sh" "$1") || skip "$1 is not there (docs/data.md says where to get it)"
}
done_testing() {
    [ "$FAILURES" = 0 ] || { echo "$FAILURES of $((CHECKS + FAILURES)) checks failed"; exit 1; }
    echo "$CHECKS checks passed"
    cd /
    local c
    for c in ${CLEAN[@]+"${CLEAN[@]}"}; do eval "$c"; done
    CLEAN=()
    rm -rf "$SCRATCH"
    exit 0
}
