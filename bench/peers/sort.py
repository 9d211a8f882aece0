"""usage: sort.py FILE: reads a CSV or Parquet file of payments with polars and sorts it by (card, time)."""
import sys

import polars as pl

path = sys.argv[1]
table = pl.read_parquet(path) if path.endswith(".parquet") else pl.read_csv(path, try_parse_dates=True)
table = table.sort("card_id", "ts")
assert table.height > 0
