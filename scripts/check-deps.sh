#!/usr/bin/env bash
# The dependency rules, checked on every tracked file. Prints each breach as file:line and exits 1.
#   a folder of src/ includes itself and the folders that its README's "Inputs:" line names; no cycle
#   app/ and examples/ know florin.h (and cli.h) only
#   each foreign library and the intrinsics have one home
#   src/ never ends the program, prints, reads the environment or the clock, or draws from rand()
#   no machine path and no registry host in a tracked file; each public header compiles alone, C11 and C++
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bad=0
breach() { echo "check-deps: $*"; bad=1; }
# deny WHAT REGEX FILE...: no line of the files may match.
deny() {
    local what=$1 regex=$2 found
    shift 2
    [ $# -gt 0 ] || return 0
    found=$(grep -nE "$regex" "$@" /dev/null || true)
    [ -z "$found" ] || { breach "$what:"; echo "$found" | head -20; }
}

declare -A inputs
for readme in src/*/README.md; do
    folder=$(basename "$(dirname "$readme")")
    inputs[$folder]=$(sed -n 's/^Inputs: *//p' "$readme" | tr -d '.,' | sed 's/none//')
    [ -n "$(grep '^Inputs:' "$readme")" ] || breach "$readme has no line 'Inputs:'"
done
for folder in src/*/; do
    folder=$(basename "$folder")
    [ -n "${inputs[$folder]+set}" ] || { breach "src/$folder has no README.md"; continue; }
    while IFS=: read -r file line include; do
        [[ $include =~ \"([^\"]+)\" ]] && from=${BASH_REMATCH[1]}
        case $from in
        florin.h) continue ;;
        */*) other=${from%%/*} ;;
        *) breach "$file:$line: \"$from\": write the folder too"; continue ;;
        esac
        case " $folder ${inputs[$folder]} " in
        *" $other "*) ;;
        *) breach "$file:$line: src/$folder includes \"$from\", but its README names only: ${inputs[$folder]:-nothing}" ;;
        esac
    done < <(grep -nE '^ *# *include *"' "src/$folder"/*.[ch] /dev/null 2>/dev/null)
done
# No cycle: drop folders whose inputs are all dropped; what is left over goes round.
left=("${!inputs[@]}")
while [ ${#left[@]} -gt 0 ]; do
    next=()
    for f in "${left[@]}"; do
        for i in ${inputs[$f]}; do
            case " ${left[*]} " in *" $i "*) next+=("$f"); break ;; esac
        done
    done
    [ ${#next[@]} -lt ${#left[@]} ] || { breach "a cycle among: ${left[*]}"; break; }
    left=(${next[@]+"${next[@]}"})
done
# Scoring never pulls in training.
case " ${inputs[score]:-} ${inputs[task]:-} " in *" train "*) breach "scoring reaches train/" ;; esac

deny "app/ and examples/ see florin.h and cli.h only" '^ *# *include *"(([^"]*/)|(.*internal)|(fl_))' $(find app examples -name '*.[ch]' 2>/dev/null)
deny "app/ calls an internal function" '\bfl_[a-z]' $(find app examples -name '*.[ch]' 2>/dev/null)

others() { find src app include -name '*.[ch]' -not -path "src/$1/*"; }
deny "intrinsics have their home in src/kernels" '# *include *<(immintrin|x86intrin|arm_neon|cpuid)\.h>|__m(128|256|512)' $(others kernels)
deny "DuckDB has its home in src/data" '# *include *["<]duckdb' $(others data)
deny "oneDNN has its home in src/kernels" '# *include *["<](oneapi/)?dnnl' $(others kernels)
deny "XGBoost has its home in src/task" '# *include *["<]xgboost' $(others task)
deny "jansson has its home in src/base" '# *include *["<]jansson' $(others base)
deny "libyaml has its home in src/base" '# *include *["<]yaml\.h' $(others base)
deny "libmicrohttpd and GnuTLS have their home in app/server" '# *include *["<](microhttpd|gnutls)' $(find src include app/cli -name '*.[ch]')
deny "SQLite has its home in src/base" '# *include *["<]sqlite3' $(others base)

# Words in comments and strings are no calls: strip both first.
calls='(^|[^a-zA-Z0-9_.>])(exit|_exit|abort|printf|puts|putchar|perror|getenv|secure_getenv|time|clock|clock_gettime|gettimeofday|rand|srand|random|drand48|signal|system|popen) *\('
found=$(find src -name "*.[ch]" -print0 | xargs -0 awk '{print FILENAME ":" FNR ":" $0}' |
    sed -E 's/^([^:]*:[0-9]+:)/\1\n/; h; s/.*\n//; s|"([^"\\]\|\\.)*"|""|g; s|//.*||; s|/\*.*\*/||; s|^ *\*.*||; s|/\*.*||; H; g; s/\n.*\n/ /' |
    grep -E "$calls|\b(stdout|stderr)\b" | grep -vE 'format\(printf' || true)
[ -z "$found" ] || { breach "src/ leaves this to its caller:"; head <<<"$found"; }

tracked=$(git ls-files 2>/dev/null | grep -vE '^(LICENSE|scripts/check-deps\.sh)$' || true)
deny "a machine's own path" '(^|[^a-zA-Z0-9_.])/(work|root|home)/[a-z]' $tracked
deny "a registry's host name" 'registry\.npmjs|deb\.debian\.org|pypi\.org|files\.pythonhosted' $tracked

probe=$(mktemp -d)
trap 'rm -rf "$probe"' EXIT
for h in include/*.h; do
    name=$(basename "$h")
    printf '#include "%s"\nint main(void) { return 0; }\n' "$name" >"$probe/one.c"
    cp "$probe/one.c" "$probe/one.cc"
    gcc -std=c11 -pedantic -Wall -Wextra -Werror -Iinclude -fsyntax-only "$probe/one.c" || breach "$h does not compile alone as C11"
    g++ -std=c++11 -pedantic -Wall -Wextra -Werror -Iinclude -fsyntax-only "$probe/one.cc" || breach "$h does not compile alone as C++"
done
for h in src/*/*.h; do
    printf '#include "%s"\nint main(void) { return 0; }\n' "${h#src/}" >"$probe/one.c"
    gcc -std=c11 -D_GNU_SOURCE -Iinclude -Isrc -fsyntax-only "$probe/one.c" || breach "$h does not compile alone"
done
[ $bad = 0 ] && echo "check-deps: all rules hold"
exit $bad
