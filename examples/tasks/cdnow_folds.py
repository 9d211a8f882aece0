#!/usr/bin/env python3
"""Five stratified folds of the CDNOW customers, as scikit-learn's StratifiedKFold(5, shuffle=True, random_state=0) makes
them over customers in the order of their numbers; positive = a purchase on or after 1997-10-01. Prints CSV: id,fold.
Usage: cdnow_folds.py cdnow.txt. Needs nothing but Python: NumPy's generator (MT19937) is reproduced below."""
import random
import sys

FOLDS, CUT = 5, "19971001"


def numpy_generator(seed):
    """Python's generator in the state of numpy.random.RandomState(seed): init_genrand of Matsumoto and Nishimura."""
    state = [seed]
    for i in range(1, 624):
        state.append((1812433253 * (state[-1] ^ state[-1] >> 30) + i) & 0xFFFFFFFF)
    r = random.Random()
    r.setstate((3, tuple(state) + (624,), None))
    return r


def shuffle(r, items):
    """RandomState.shuffle: Fisher-Yates from the end, draws below a bound by masking and rejecting."""
    for i in range(len(items) - 1, 0, -1):
        mask = (1 << i.bit_length()) - 1
        j = r.getrandbits(32) & mask
        while j > i:
            j = r.getrandbits(32) & mask
        items[i], items[j] = items[j], items[i]


def stratified(classes, seed):
    """The fold of every row."""
    names = list(dict.fromkeys(classes))  # in order of first appearance
    code = [names.index(c) for c in classes]
    ordered, r, folds = sorted(code), numpy_generator(seed), [0] * len(code)
    for c in range(len(names)):
        deck = [f for f in range(FOLDS) for _ in range(ordered[f::FOLDS].count(c))]
        shuffle(r, deck)
        for row, fold in zip((i for i, x in enumerate(code) if x == c), deck):
            folds[row] = fold
    return folds


def main():
    last, seen = {}, set()
    with open(sys.argv[1]) as f:
        next(f)
        for line in f:
            customer, day = line.split()[:2]
            last[customer] = max(last.get(customer, ""), day)
            if day < CUT:
                seen.add(customer)
    ids = sorted(seen)
    print("id,fold")
    for customer, fold in zip(ids, stratified([last[c] >= CUT for c in ids], 0)):
        print(f"{customer},{fold}")


if __name__ == "__main__":
    main()
