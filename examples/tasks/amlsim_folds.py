#!/usr/bin/env python3
"""Five stratified folds of the AMLSim accounts in file order, as scikit-learn's StratifiedKFold(5, shuffle=True,
random_state=0) makes them. Prints CSV: id,fold. Usage: amlsim_folds.py amlsim_nodes.csv. Needs nothing but Python."""
import csv
import sys

from cdnow_folds import stratified


def main():
    with open(sys.argv[1]) as f:
        rows = list(csv.DictReader(f))
    print("id,fold")
    for row, fold in zip(rows, stratified([row["isFraud"] for row in rows], 0)):
        print(f"{row['nodeid']},{fold}")


if __name__ == "__main__":
    main()
