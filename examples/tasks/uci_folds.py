#!/usr/bin/env python3
"""Five stratified folds of the UCI credit-default clients in file order, as scikit-learn's StratifiedKFold(5, shuffle=True,
random_state=0) makes them. Prints CSV: id,fold. Usage: uci_folds.py uci_credit_default.csv. Needs nothing but Python."""
import csv
import sys

from cdnow_folds import stratified

LABEL = "default.payment.next.month"


def main():
    with open(sys.argv[1]) as f:  # universal newlines: the file's line ends are carriage returns
        rows = list(csv.DictReader(f.read().splitlines()))
    print("id,fold")
    for row, fold in zip(rows, stratified([row[LABEL] for row in rows], 0)):
        print(f"{row['ID']},{fold}")


if __name__ == "__main__":
    main()
