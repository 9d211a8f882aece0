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
# --bench: peaks of one thread, and each kernel's share of them; no speed is asked for.
ok "$FLORIN" doctor --bench --threads 1
has out.txt '^peaks of 1 thread$'
has out.txt '^  reads .*L1 [0-9.]+.*L2 [0-9.]+.*L3 [0-9.]+.*memory [0-9.]+ +GB/s'
has out.txt '^  latency .*memory [0-9.]+ +ns'
has out.txt '^linear 1 x 256 x 768 .* GB/s .*% L2 reads'
ok "$FLORIN" doctor --bench --json
cp out.txt bench.json
equal "$(json bench.json bench.peaks.0.threads)" 1
for work in 'linear 64 x 256 x 768' 'training: head' 'bf16' 'fold' 'forest'; do grep -q "$work" bench.json; done
for n in $(grep -oE '"(rate|limit)": *[^,}]*' bench.json | grep -oE '[^ :]+$'); do
    awk -v n="$n" 'BEGIN { exit !(n > 0) }' || die "a rate or limit is $n"
done
public_folder closed
chmod 755 "$PUBLIC/closed"
if [ "$(id -u)" = 0 ]; then
    fails 6 'must be fixed' as_nobody "$FLORIN" doctor "$PUBLIC/closed"
    has out.txt "can't be written"
fi
done_testing
