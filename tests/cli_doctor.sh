# florin doctor: text and JSON, and that it finds what is wrong.
. "$FLORIN_SOURCE/tests/support/shell.sh"
ok "$FLORIN" doctor
has out.txt '^cpu .*kernels: (ref|avx)'
has out.txt '^libraries .*duckdb v?1\.5\.5.*onednn [0-9]'
ok "$FLORIN" doctor --json --data .
cp out.txt doctor.json
equal "$(json doctor.json ok)" true
equal "$(json doctor.json data.folder)" .
[ "$(json doctor.json disk.free_bytes)" -gt 0 ]
equal "$(json doctor.json limits.open_files)" "$(ulimit -Sn)"
fails 6 'must be fixed' "$FLORIN" doctor no/such/folder
has out.txt 'no such folder'
fails 2 'text or JSON' "$FLORIN" doctor --html
few() { (ulimit -n 64; "$FLORIN" doctor --json); }
fails 6 'must be fixed' few
equal "$(json out.txt ok)" false
has out.txt 'ulimit -n'
public_folder closed
chmod 755 "$PUBLIC/closed"
if [ "$(id -u)" = 0 ]; then
    fails 6 'must be fixed' as_nobody "$FLORIN" doctor "$PUBLIC/closed"
    has out.txt "can't be written"
fi
done_testing
