"""Embedding the histories of a log with PyTorch: a GRU of 256 over inputs of 128 per event, one or two streams.

usage: embed_torch.py THREADS fp32|int8 IDS.csv [IDS.csv]; IDS.csv is what `florin embed --entity KIND --out X.npy` leaves
beside its vectors: a line per entity with its number of events. int8: the GRU's weights by PyTorch's dynamic quantisation.
Prints one JSON object: events, seconds (best of two after one to warm up), version.
Inputs are four categories and 32 numbers that lie ready in memory, through tables and one linear layer: no fold, no encoder
behind it, no reading and writing, so less than Florin's side does. Histories are sorted by length and packed, some 2,048
events at a time (of 2,048, 16,384 and 65,536 the fastest).
"""
import json
import sys
import time

import torch
import torch.nn as nn
from torch.nn.utils.rnn import PackedSequence

D, H, CATEGORIES, VOCABULARY, NUMBERS, BATCH = 128, 256, 4, 1024, 32, 2048


def lengths(path):
    with open(path) as f:
        next(f)
        return sorted((int(line.rsplit(",", 1)[1]) for line in f), reverse=True)


def batches(all_lengths):
    """Numbers of events alive at each step, of batches of histories of like length."""
    batch, events = [], 0
    for n in all_lengths:
        batch.append(n)
        events += n
        if events >= BATCH:
            yield batch
            batch, events = [], 0
    if batch:
        yield batch


def packed_sizes(batch):
    n = torch.tensor(batch)
    return (n.unsqueeze(0) > torch.arange(batch[0]).unsqueeze(1)).sum(1)


class Stream(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.ModuleList(nn.Embedding(VOCABULARY, D) for _ in range(CATEGORIES))
        self.numbers = nn.Linear(NUMBERS, D)
        self.gru = nn.GRU(D, H)

    def forward(self, tokens, numbers, sizes):
        x = self.numbers(numbers)
        for i, table in enumerate(self.table):
            x = x + table(tokens[i])
        return self.gru(PackedSequence(x, sizes))[0].data


def embed(streams, plans, tokens, numbers):
    """States of all events, of every stream."""
    out = torch.empty(len(streams), len(numbers), H)
    for states, stream, plan in zip(out, streams, plans):
        first = 0
        for sizes in plan:
            last = first + int(sizes.sum())
            states[first:last] = stream(tokens[:, first:last], numbers[first:last], sizes)
            first = last
    return out


def main(threads, precision, paths):
    torch.manual_seed(1)
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    plans, events = [], 0
    for path in paths:
        n = lengths(path)
        plans.append([packed_sizes(b) for b in batches(n)])
        events = max(events, sum(n))
    tokens = torch.randint(0, VOCABULARY, (CATEGORIES, events))
    numbers = torch.randn(events, NUMBERS)
    streams = [Stream().eval() for _ in paths]
    if precision == "int8":
        for s in streams:
            s.gru = torch.ao.quantization.quantize_dynamic(nn.Sequential(s.gru), {nn.GRU}, dtype=torch.qint8)[0]
    seconds = []
    with torch.inference_mode():
        for _ in range(3):
            start = time.perf_counter()
            embed(streams, plans, tokens, numbers)
            seconds.append(time.perf_counter() - start)
    print(json.dumps({"events": events, "seconds": round(min(seconds[1:]), 4), "version": torch.__version__}))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
