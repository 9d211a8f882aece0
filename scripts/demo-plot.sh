#!/usr/bin/env bash
# Draws docs/demo.svg, the plot of README.md, from the results of the last `make demo`: precision against recall of
# the fraud task, Florin beside the boosted trees on the fold alone.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
get=build/tests/json_get file=demo/fraud.json
[ -x $get ] && [ -f $file ] || { echo "demo-plot: run make demo first" >&2; exit 1; }
curve() { # NAME: "recall precision" lines
    local i n
    n=$($get $file 'systems.#')
    for ((i = 0; i < n; i++)); do
        [ "$($get $file systems.$i.name)" = "$1" ] || continue
        $get $file systems.$i.pr | tr -d '[ ' | tr ']' '\n' | sed 's/^,//' | tr ',' ' ' | grep .
    done
}
{ curve florin | sed 's/^/1 /'; curve baseline | sed 's/^/2 /'; } |
    awk -v positives="$($get $file test.positives)" -v rows="$($get $file test.rows)" '
    function x(v) { return sprintf("%.1f", 56 + v * 500) }
    function y(v) { return sprintf("%.1f", 276 - v * 240) }
    function text(px, py, anchor, colour, s) { printf "<text x=\"%s\" y=\"%s\" text-anchor=\"%s\" fill=\"%s\">%s</text>\n", px, py, anchor, colour, s }
    { path[$1] = path[$1] (path[$1] == "" ? "M" : "L") x($2) " " y($3) }
    END {
        print "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 580 330\" font-family=\"sans-serif\" font-size=\"13\" role=\"img\">"
        print "<title>Precision against recall of the fraud task in make demo</title>"
        print "<rect width=\"580\" height=\"330\" fill=\"#ffffff\"/>"
        for (i = 0; i <= 5; i++) {
            v = i / 5
            printf "<path d=\"M%s %sH%s M%s %sV%s\" stroke=\"#dddddd\" fill=\"none\"/>\n", x(0), y(v), x(1), x(v), y(0), y(1)
            text(48, y(v) + 4, "end", "#555555", sprintf("%.1f", v)); text(x(v), 294, "middle", "#555555", sprintf("%.1f", v))
        }
        printf "<path d=\"%s\" stroke=\"#c2571a\" stroke-width=\"2\" stroke-dasharray=\"6 4\" fill=\"none\"/>\n", path[2]
        printf "<path d=\"%s\" stroke=\"#1b5e8c\" stroke-width=\"2.4\" fill=\"none\"/>\n", path[1]
        text(306, 320, "middle", "#222222", "recall: share of the fraud found")
        print "<text x=\"14\" y=\"156\" transform=\"rotate(-90 14 156)\" text-anchor=\"middle\" fill=\"#222222\">precision: share of alerts right</text>"
        text(556, 20, "end", "#222222", "Fraud on later days: " positives " of " rows " payments")
        text(548, 54, "end", "#1b5e8c", "Florin"); text(548, 72, "end", "#c2571a", "boosted trees on the fold alone (dashed)")
        print "</svg>"
    }' >docs/demo.svg
echo "docs/demo.svg drawn from $file"
