#!/usr/bin/env python3
"""Prints the values that tests/test_metrics.c expects, from scikit-learn (1.5 to 1.9 agree) and NumPy.
Needs: pip install scikit-learn."""
import numpy as np
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score, roc_curve

i = np.arange(60)
score = ((i * 37) % 23) / 23.0  # with ties
y = ((i * i * 7 + 3 * i) % 5 == 0).astype(int)
w = 1.0 + i % 3
p = 0.02 + 0.9 * score
print("rows", len(y), "positives", y.sum())
print("auc %.15f" % roc_auc_score(y, score))
print("auc, weighted %.15f" % roc_auc_score(y, score, sample_weight=w))
print("ap %.15f" % average_precision_score(y, score))
print("ap, weighted %.15f" % average_precision_score(y, score, sample_weight=w))
print("brier %.15f" % brier_score_loss(y, p))
fpr, tpr, _ = roc_curve(y, score, drop_intermediate=False)
for at in (0.05, 0.1, 0.25, 0.5):
    print("recall at fpr %g: %.15f" % (at, tpr[fpr <= at].max()))
# Rows by falling score, ties in the order of the rows.
order = np.argsort(-score, kind="stable")
for k in (5, 20):
    print("precision at %d: %.15f" % (k, y[order][:k].mean()))
for d in range(3):
    part = order[len(order) * d // 10 : len(order) * (d + 1) // 10]
    print("observed over expected %d: %.15f" % (d, y[part].sum() / p[part].sum()))
amount = 1.0 + (i * 13) % 50
bad = y[order] == 1
print("money caught at 0.25: %.15f" % (amount[order][:15][bad[:15]].sum() / amount[order][bad].sum()))


def card_precision(score, y, card, day, k):
    """As the Fraud Detection Handbook's card_precision_top_k: cards found fraudulent are left out of later days."""
    found, out = set(), []
    for d in sorted(set(day)):
        best, bad = {}, {}
        for s, t, c in zip(score[day == d], y[day == d], card[day == d]):
            if c in found:
                continue
            best[c] = max(best.get(c, -1), s)
            bad[c] = max(bad.get(c, 0), t)
        top = sorted(best, key=lambda c: -best[c])[:k]
        hits = [c for c in top if bad[c]]
        found |= set(hits)
        out.append(len(hits) / k)
    return np.mean(out)


card, day, distinct = i % 11, i // 15, ((i * 37) % 61) / 61.0  # no ties: their order is nobody's rule
print("card precision at 3: %.15f" % card_precision(distinct, y, card, day, 3))
print("card precision at 2: %.15f" % card_precision(distinct, y, card, day, 2))
