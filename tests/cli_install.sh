# What is installed stands on its own: the program, the header (C11 and C++), the library with nothing but florin_ in its
# symbols, pkg-config and CMake packages; the C example builds with both, runs, and says the same.
. "$FLORIN_SOURCE/tests/support/shell.sh"
# Into files: a grep that stops at its first hit would end ldd by a signal, and the pipe would count as failed.
ldd "$FLORIN" >linked.txt
nm "$FLORIN" >named.txt 2>/dev/null || true
if grep -qE 'lib[at]san|libubsan' linked.txt || grep -q __asan_init named.txt; then
    skip "a build with sanitizers is not for installing"
fi
build=$(dirname "$FLORIN")
prefix=$PWD/opt
ok cmake --install "$build" --prefix "$prefix"
lib=$(dirname "$(find "$prefix" -name libflorin.so)")
ok "$prefix/bin/florin" --version
has out.txt '^florin [0-9]+\.[0-9]+\.[0-9]+$'
ldd "$prefix/bin/florin" | grep libduckdb >where.txt
has where.txt "$prefix"
ok "$prefix/bin/florin" doctor

# --- the header alone, in C and C++, with nothing to complain about
echo '#include <florin.h>' >h.c
cp h.c h.cpp
ok cc -std=c11 -Wall -Wextra -pedantic -Werror -I"$prefix/include" -fsyntax-only h.c
if command -v g++ >/dev/null; then ok g++ -std=c++11 -Wall -Wextra -pedantic -Werror -I"$prefix/include" -fsyntax-only h.cpp; fi
equal "$(ls "$prefix/include")" florin.h

# --- the shared library shows the contract and nothing else, and all of it
nm -D --defined-only "$lib/libflorin.so" | awk '{print $3}' | sort >symbols
lacks symbols '^(fl_|[^f])'
grep -v '^florin_' symbols >others || true
equal "$(cat others)" ""
grep -oE '\bflorin_[a-z_]+\(' "$FLORIN_SOURCE/include/florin.h" | tr -d '(' | sort -u >declared
missing=$(comm -23 declared symbols)
equal "$missing" ""

# --- a small world to score
ok "$FLORIN" simulate --events 6000 --days 60 --cards 60 --seed 4 --out log --csv tables --quiet
cat >fraud.yaml <<'Y'
florin_task: 1
name: fraud
moments: {event: payment}
label: fraud
train: {from: 2025-01-05, to: 2025-02-10}
test: {from: 2025-02-10, to: 2025-03-01}
head: trees
Y
ok "$FLORIN" fit log --task fraud.yaml --out fraud.florin --rounds 10 --draws 20 --quiet
card=$(awk -F, 'NR == 1 {for (i = 1; i <= NF; i++) if ($i == "card") c = i} NR == 2 {print $c}' tables/payments.csv)
shop=$(awk -F, 'NR == 1 {for (i = 1; i <= NF; i++) if ($i == "merchant") c = i} NR == 2 {print $c}' tables/payments.csv)

# --- the example by pkg-config
export PKG_CONFIG_PATH=$lib/pkgconfig
equal "$(pkg-config --modversion florin)" "$("$FLORIN" --version | cut -d' ' -f2)"
# shellcheck disable=SC2046
ok cc -std=c11 -Wall -Wextra -pedantic -Werror "$FLORIN_SOURCE/examples/c/score.c" $(pkg-config --cflags --libs florin) \
    -Wl,-rpath,"$lib" -o score
ok ./score fraud.florin log "$card" "$shop"
cp out.txt first.txt
has first.txt 'history: 6000 events'
has first.txt '^new-1  19.99 EUR  score [0-9]+ of 99'
has first.txt '^new-4  999.00 EUR'
has first.txt '^ +[0-9]+ %  .*this (card|merchant|event)'
no_nan first.txt
fails 6 'nowhere' ./score nowhere log a b
fails 6 'nowhere' ./score fraud.florin nowhere a b

# --- and by CMake
ok cmake -S "$FLORIN_SOURCE/examples/c" -B example -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_BUILD_TYPE=Release
ok cmake --build example
ok example/score fraud.florin log "$card" "$shop"
same out.txt first.txt
done_testing
