#!/usr/bin/env python3
"""Five stratified folds of Berka's accounts, as scikit-learn's StratifiedKFold(5, shuffle=True, random_state=SEED) makes them.
`loan`: the accounts with a loan, in the loans' order, by whether it went bad; `account`: all with a transaction, by number, by
whether they were ever below zero. Prints CSV: account,fold. Usage: berka_folds.py berka_dev.sqlite loan|account [SEED]."""
import sqlite3
import sys

from cdnow_folds import stratified

ROWS = {
    "loan": "SELECT account_id, status IN ('B', 'D') FROM loan ORDER BY loan_id",
    "account": "SELECT account_id, min(balance) < 0 FROM trans GROUP BY account_id ORDER BY account_id",
}


def main():
    rows = sqlite3.connect(sys.argv[1]).execute(ROWS[sys.argv[2]]).fetchall()
    print("account,fold")
    for (account, _), fold in zip(rows, stratified([y for _, y in rows], int(sys.argv[3]) if len(sys.argv) > 3 else 0)):
        print(f"{account},{fold}")


if __name__ == "__main__":
    main()
