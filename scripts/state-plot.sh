#!/usr/bin/env bash
# Draws docs/state.svg from the lines of the last `make bench-state`: microseconds an event against the number of entities and
# against the length of an entity's history, two panels with one scale. Blue and orange are told apart by every eye, and the
# marks differ in shape.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
file=bench/results/state.jsonl
[ -s $file ] || { echo "state-plot: run make bench-state first" >&2; exit 1; }
{
    sed -nE 's/.*"case":"one event, ([0-9.]+) M entities: p50","ours":([0-9.e+]+),.*/1 \1e6 \2/p' $file
    sed -nE 's/.*"case":"one event, history of ([0-9]+) events: p50","ours":([0-9.e+]+),.*/2 \1 \2/p' $file
} | awk '
    function text(px, py, anchor, colour, s) { printf "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" fill=\"%s\">%s</text>\n", px, py, anchor, colour, s }
    function log10(v) { return log(v) / log(10) }
    function x(p, v) { return left[p] + (log10(v) - low[p]) / (high[p] - low[p]) * wide }
    function y(v) { return 270 - v / most * 220 }
    function power(d) { return d < 3 ? sprintf("%.0f", 10 ^ d) : d < 6 ? sprintf("%.0f,000", 10 ^ (d - 3)) : sprintf("%.0f M", 10 ^ (d - 6)) }
    { n++; panel[n] = $1; at[n] = $2 + 0; us[n] = $3 + 0; if (us[n] > top) top = us[n] }
    END {
        if (!n) exit 1
        left[1] = 56; left[2] = 366; wide = 250
        low[1] = 6; high[1] = 7; low[2] = 0; high[2] = 4
        step = top > 40 ? 20 : top > 16 ? 10 : top > 8 ? 4 : 2
        most = step * (int(top * 1.15 / step) + 1)
        colour[1] = "#0072b2"; colour[2] = "#d55e00"
        title[1] = "entities held"; title[2] = "events of the card so far"
        print "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 640 330\" font-family=\"sans-serif\" font-size=\"13\" role=\"img\">"
        print "<title>Time per event against the number of entities and against the length of a history</title>"
        print "<rect width=\"640\" height=\"330\" fill=\"#ffffff\"/>"
        for (p = 1; p <= 2; p++) {
            for (v = 0; v <= most; v += step) {
                printf "<path d=\"M%.1f %.1fh%d\" stroke=\"#dddddd\" fill=\"none\"/>\n", left[p], y(v), wide
                if (p == 1) text(48, y(v) + 4, "end", "#555555", v)
            }
            for (d = low[p]; d <= high[p]; d++) {
                printf "<path d=\"M%.1f 50V270\" stroke=\"#dddddd\" fill=\"none\"/>\n", x(p, 10 ^ d)
                text(x(p, 10 ^ d), 288, "middle", "#555555", power(d))
            }
            text(left[p] + wide / 2, 314, "middle", "#222222", title[p])
            path = ""
            for (i = 1; i <= n; i++) if (panel[i] == p) path = path sprintf("%s%.1f %.1f", path == "" ? "M" : "L", x(p, at[i]), y(us[i]))
            printf "<path d=\"%s\" stroke=\"%s\" stroke-width=\"2\" fill=\"none\"/>\n", path, colour[p]
            for (i = 1; i <= n; i++) if (panel[i] == p) {
                if (p == 1) printf "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" fill=\"%s\"/>\n", x(p, at[i]), y(us[i]), colour[p]
                else printf "<rect x=\"%.1f\" y=\"%.1f\" width=\"7\" height=\"7\" fill=\"%s\"/>\n", x(p, at[i]) - 3.5, y(us[i]) - 3.5, colour[p]
            }
            if (p == 1) for (i = 1; i <= n; i++) if (panel[i] == 1) text(x(1, at[i]), y(us[i]) - 10, at[i] > 9e6 ? "end" : at[i] < 1.1e6 ? "start" : "middle", "#222222", sprintf("%.1f", us[i]))
        }
        text(56, 24, "start", "#222222", "One event, whole path: median")
        print "<text x=\"14\" y=\"160\" transform=\"rotate(-90 14 160)\" text-anchor=\"middle\" fill=\"#222222\">microseconds per event</text>"
        print "</svg>"
    }' >docs/state.svg.new
mv docs/state.svg.new docs/state.svg
echo "docs/state.svg drawn from $file"
