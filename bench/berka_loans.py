#!/usr/bin/env python3
"""Berka's loans by what a bank's analyst would build in a week: aggregates of the account's transactions before the loan's day, the
loan's own numbers, the district and the owner's age, and logistic regression (ridge 1 on standardised columns, Newton's method) in five
folds. Prints CSV: id,y,score (log-odds, out of fold). Usage: berka_loans.py berka_dev.sqlite FOLDS.csv. Needs nothing but Python."""
import csv
import math
import sqlite3
import sys
from datetime import date

LOANS = """SELECT l.loan_id, l.account_id, l.date, l.amount, l.duration, l.payments, l.status IN ('B', 'D'), a.date, a.frequency, d.A11, d.A13,
  (SELECT min(c.birth_date) FROM disp p JOIN client c USING (client_id) WHERE p.account_id = l.account_id AND p.type = 'OWNER')
  FROM loan l JOIN account a USING (account_id) JOIN district d ON d.district_id = a.district_id ORDER BY l.loan_id"""
MOVES = """SELECT date, type, amount, balance, coalesce(k_symbol, '') FROM trans WHERE account_id = ? AND date < ? ORDER BY date, trans_id"""


def days(later, earlier):
    return (date.fromisoformat(later) - date.fromisoformat(earlier)).days


def log(x):
    return math.copysign(math.log1p(abs(x)), x)


def columns(db, loan):
    _, account, day, amount, duration, payments, _, opened, frequency, wage, jobless, born = loan
    moves = db.execute(MOVES, (account, day)).fetchall()
    row = [log(amount), duration, log(payments), log(days(day, opened)), frequency != "POPLATEK MESICNE", wage, jobless,
           days(day, born) / 365.25, not moves, log(len(moves))]
    for span in (30, 90, 365):
        recent = [m for m in moves if days(day, m[0]) <= span]
        come = sum(m[2] for m in recent if m[1] == "PRIJEM")
        go = sum(m[2] for m in recent if m[1] != "PRIJEM")
        row += [log(come), log(go), log(come - go), log(min([m[3] for m in recent], default=0)), len(recent)]
    balances = [m[3] for m in moves]
    mean = sum(balances) / len(balances) if balances else 0
    spread = math.sqrt(sum((b - mean) ** 2 for b in balances) / len(balances)) if balances else 0
    row += [log(mean), log(spread), log(balances[-1]) if balances else 0, log(min(balances, default=0)),
            sum(b < 0 for b in balances), sum("SANKC" in m[4] for m in moves), payments / (1 + abs(mean))]
    return [float(x) for x in row]


def solve(a, b):
    """Gaussian elimination with pivots; a is square and regular."""
    n = len(b)
    a = [row[:] + [b[i]] for i, row in enumerate(a)]
    for i in range(n):
        p = max(range(i, n), key=lambda r: abs(a[r][i]))
        a[i], a[p] = a[p], a[i]
        for r in range(i + 1, n):
            f = a[r][i] / a[i][i]
            for c in range(i, n + 1):
                a[r][c] -= f * a[i][c]
    x = [0.0] * n
    for i in range(n - 1, -1, -1):
        x[i] = (a[i][n] - sum(a[i][c] * x[c] for c in range(i + 1, n))) / a[i][i]
    return x


def margin(w, x):
    return w[0] + sum(a * b for a, b in zip(w[1:], x))


def learn(rows, y, ridge=1.0, steps=12):
    n = len(rows[0]) + 1
    w = [0.0] * n
    for _ in range(steps):
        grad = [0.0] + [ridge * v for v in w[1:]]
        hess = [[(ridge if i == j and i else 1e-9 if i == j else 0.0) for j in range(n)] for i in range(n)]
        for x, t in zip(rows, y):
            p = 1 / (1 + math.exp(-max(-30.0, min(30.0, margin(w, x)))))
            full = [1.0] + x
            for i in range(n):
                grad[i] += (p - t) * full[i]
                for j in range(n):
                    hess[i][j] += p * (1 - p) * full[i] * full[j]
        w = [a - b for a, b in zip(w, solve(hess, grad))]
    return w


def main():
    db = sqlite3.connect(sys.argv[1])
    loans = db.execute(LOANS).fetchall()
    fold = {int(r["account"]): int(r["fold"]) for r in csv.DictReader(open(sys.argv[2]))}
    rows = [columns(db, loan) for loan in loans]
    print("id,y,score")
    for k in sorted(set(fold.values())):
        train = [i for i, loan in enumerate(loans) if fold[loan[1]] != k]
        mean = [sum(rows[i][c] for i in train) / len(train) for c in range(len(rows[0]))]
        sd = [math.sqrt(sum((rows[i][c] - mean[c]) ** 2 for i in train) / len(train)) or 1.0 for c in range(len(mean))]
        scaled = [[max(-5.0, min(5.0, (x - m) / s)) for x, m, s in zip(r, mean, sd)] for r in rows]
        w = learn([scaled[i] for i in train], [loans[i][6] for i in train])
        for i, loan in enumerate(loans):
            if fold[loan[1]] == k:
                print(f"{loan[0]},{loan[6]},{margin(w, scaled[i]):.6f}")


if __name__ == "__main__":
    main()
