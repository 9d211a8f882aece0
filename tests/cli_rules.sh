# The dependency rules hold, and the script that checks them sees each kind of breach.
. "$FLORIN_SOURCE/tests/support/shell.sh"
ok "$FLORIN_SOURCE/scripts/check-deps.sh"
tree() {
    rm -rf tree
    mkdir tree
    cp -r "$FLORIN_SOURCE/src" "$FLORIN_SOURCE/app" "$FLORIN_SOURCE/include" tree/
    mkdir tree/scripts
    cp "$FLORIN_SOURCE/scripts/check-deps.sh" tree/scripts/
}
# breach FILE LINE REGEX: with LINE added to FILE the script fails and says REGEX.
breach() {
    tree
    printf '%s\n' "$2" >>"tree/$1"
    local code=0
    tree/scripts/check-deps.sh >out.txt 2>&1 || code=$?
    equal $code 1
    has out.txt "$3"
}
breach src/base/map.c '#include "data/log.h"' 'src/base includes "data/log.h"'
breach src/base/map.c '#include "score/none.h"' 'src/base includes'
breach src/base/map.c 'static void f(void) { exit(1); }' 'leaves this to its caller'
breach src/base/map.c 'static long g(void) { return time(NULL); }' 'leaves this to its caller'
breach src/base/map.c '#include <immintrin.h>' 'intrinsics'
breach src/base/map.c '#include <duckdb.h>' 'DuckDB'
breach src/data/README.md 'Inputs: base, fold.' 'cycle|names only'
breach app/cli/main.c '#include "base/base.h"' 'florin.h and cli.h only'
breach include/florin.h '#include "base/base.h"' 'alone'
done_testing
