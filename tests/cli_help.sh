# The examples of every command's help, run as they are written, in the order in which a newcomer needs them.
. "$FLORIN_SOURCE/tests/support/shell.sh"
PATH=$(dirname "$FLORIN"):$PATH
ln -s "$FLORIN_SOURCE/examples" examples
printf 'id,time,card,shop,amount\n1,2026-01-01 10:00:00,a,x,1.50\n2,2026-01-02 10:00:00,b,x,2.50\n' >payments.csv
seen=0
for name in draft import simulate describe features pretrain embed similar fit eval tasks ablate score replay policy review backtest report doctor; do
    "$FLORIN" "$name" --help | sed -n '/^Example:/,/^$/p' | sed '1d;/^$/d' >examples.txt
    [ -s examples.txt ] || die "$name has no example"
    while read -r line; do
        case $line in
        *--resume*) continue ;;      # needs a run that was stopped: tests/cli_pretrain.sh
        */var/lib/florin*) continue ;; # somebody's folder
        esac
        # As written, but for the size of the world and of the network.
        line=${line/--events 400000/--events 30000}
        line=${line/--budget 1/--budget 0.01} # of the plan's first run at least
        [ "$name" != pretrain ] || line+=" --hidden 16 --width 16 --epochs 1"
        [[ $line != "florin fit "* ]] || line=${line/ --out/ --rounds 10 --draws 20 --out}
        ok bash -c "$line"
        seen=$((seen + 1))
    done <examples.txt
done
[ "$seen" -ge 18 ] || die "only $seen examples ran"
count=$("$FLORIN" --help | awk '/^Commands:/ {on = 1; next} /^$/ {on = 0} on' | wc -l)
equal "$count" 21
has bank.html '</html>'
has report.html '</html>'
done_testing
