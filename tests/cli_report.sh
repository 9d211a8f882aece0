# florin report: one page from JSON results; what is in a result can't break out of the page's data block.
. "$FLORIN_SOURCE/tests/support/shell.sh"
cat >a.json <<'J'
{"report": "eval", "task": "fraud</script><script>alert(1)", "systems": [{"name": "florin", "metrics": {"ap": {"value": 0.5, "low": 0.4, "high": 0.6}}}]}
J
echo '{"report": "note", "text": "hello"}' >b.json
ok "$FLORIN" report a.json b.json --title 'A & <b>' --out page.html
has page.html '<title>A &amp; &lt;b>'
has page.html '"hello"'
lacks page.html '</script><script>alert'
lacks page.html '\{\{'
lacks page.html '(src|href)='
ok "$FLORIN" report b.json
has out.txt '</html>'
: >empty.json
fails 3 'empty.json' "$FLORIN" report empty.json
echo '[1]' >list.json
fails 3 'not a result' "$FLORIN" report list.json
echo '{"a": NaN}' >nan.json
fails 3 'nan.json' "$FLORIN" report nan.json
fails 6 'none.json' "$FLORIN" report none.json
fails 2 '.' "$FLORIN" report
fails 6 '.' "$FLORIN" report b.json --out /proc/page.html
done_testing
