"""The Handbook's 12 velocity features with polars rolling windows, timed on one thread, and compared with Florin's.

usage: velocity.py HANDBOOK.csv FLORIN.parquet; prints one JSON object: seconds (features only, median of 3: sorting by
entity and time, and the windows), seconds_rolling (the windows alone, of the same run), rows, compared, different. Rows of an entity that share their second with another of its rows are left out of the
comparison: a rolling window holds all of them, a stream only those that came before.
"""
import json
import os
import sys
import time

os.environ["POLARS_MAX_THREADS"] = "1"
import polars as pl

DAYS = (1, 7, 30)
DELAY = 7


def by_entity(table):
    """The columns of cards and of terminals, each in order of entity and time: rolling windows need it."""
    return (table.select("row", "t", "card", "amount").sort("card", "t", maintain_order=True),
            table.select("row", "t", "terminal", "bad").sort("terminal", "t", maintain_order=True))


def windows(card, terminal):
    """Count and mean amount per card over (t - w, t]; count and share of bad per terminal over (t - 7 d - w, t - 7 d]."""
    parts = []
    for w in DAYS:
        r = card.rolling("t", period=f"{w}d", group_by="card").agg(
            pl.len().alias(f"count{w}"), pl.col("amount").mean().alias(f"mean{w}"))
        parts.append(pl.concat([card.select("row"), r.select(f"count{w}", f"mean{w}")], how="horizontal"))
    for w in DAYS:
        r = terminal.rolling("t", period=f"{w}d", offset=f"-{DELAY + w}d", group_by="terminal").agg(
            pl.len().alias(f"labels{w}"), pl.col("bad").mean().alias(f"share{w}"))
        parts.append(pl.concat([terminal.select("row"), r.select(f"labels{w}", f"share{w}")], how="horizontal"))
    return parts


def main(csv, ours_path):
    table = pl.read_csv(csv, try_parse_dates=True).select(
        pl.col("TX_DATETIME").cast(pl.Datetime("us")).alias("t"), pl.col("CUSTOMER_ID").alias("card"),
        pl.col("TERMINAL_ID").alias("terminal"), pl.col("TX_AMOUNT").alias("amount"),
        pl.col("TX_FRAUD").cast(pl.Int32).alias("bad")).with_row_index("row")
    assert pl.thread_pool_size() == 1
    times = []
    for _ in range(3):
        begin = time.perf_counter()
        card, terminal = by_entity(table)
        sorted_at = time.perf_counter()
        parts = windows(card, terminal)
        end = time.perf_counter()
        times.append((end - begin, end - sorted_at))
    seconds, rolling = sorted(times)[1]
    ours = pl.read_parquet(ours_path)
    alone = {k: (table.select(pl.len().over(k, "t"))["len"] == 1) for k in ("card", "terminal")}
    compared = different = 0
    for i, part in enumerate(parts):
        w, card = DAYS[i % 3], i < 3
        part = part.sort("row")
        names = (f"payer.count_{w}d", f"payer.mean_{w}d") if card else (f"payee.labels_{w}d", f"payee.bad_share_{w}d")
        for name, column in zip(names, part.columns[1:]):
            want, got = part[column].fill_null(0).cast(pl.Float64), ours[name].cast(pl.Float64)
            off = ((want - got).abs() > 1e-5 * want.abs() + 1e-6)
            keep = alone["card" if card else "terminal"]
            compared += int(keep.sum())
            different += int((off & keep).sum())
    print(json.dumps({"seconds": seconds, "seconds_rolling": rolling, "rows": table.height, "compared": compared, "different": different}))


if __name__ == "__main__":
    main(*sys.argv[1:])
