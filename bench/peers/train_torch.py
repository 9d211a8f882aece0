"""A training step of the network of bench/train.sh in PyTorch, tuned fp32: fused AdamW, a head of its own for each field
(slices of one would be copied back together), threads pinned (by the caller), tcmalloc if the caller preloads it.

usage: train_torch.py dense|factored|trunk SECONDS; prints one JSON object: events_per_second (median over steps),
best, steps, loss, version. 8 category fields in and out, 2 numbers, GRU; 32 sequences x 128 events a step, state carried
over. dense: one softmax for each field; factored: every vocabulary in two levels, about sqrt(V) clusters, as Florin's;
trunk: no heads, half the mean of squared states as the loss.
"""
import json
import math
import statistics
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

VOCABULARIES = [8192] + [1024] * 7
D, H, LANES, WINDOW, NUMBERS = 128, 256, 32, 128, 2


class Net(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.loss = {"dense": self.dense_loss, "factored": self.factored_loss, "trunk": self.trunk_loss}[kind]
        self.table = nn.ModuleList(nn.Embedding(v, D) for v in VOCABULARIES)
        self.numbers = nn.Linear(NUMBERS, D)
        self.gru = nn.GRU(D, H, batch_first=True)
        self.group = [math.ceil(math.sqrt(v)) for v in VOCABULARIES]
        if kind == "factored":
            self.cluster = nn.ModuleList(nn.Linear(H, math.ceil(v / g)) for v, g in zip(VOCABULARIES, self.group))
            self.member = nn.ParameterList(
                nn.Parameter(torch.randn(math.ceil(v / g), g, H) * 0.02) for v, g in zip(VOCABULARIES, self.group))
        elif kind == "dense":
            self.head = nn.ModuleList(nn.Linear(H, v) for v in VOCABULARIES)

    def trunk_loss(self, h, target):
        return 0.5 * (h * h).mean()

    def dense_loss(self, h, target):
        return sum(F.cross_entropy(head(h), target[i]) for i, head in enumerate(self.head))

    def factored_loss(self, h, target):
        """Rows sorted by cluster and padded to the largest one: a batched product per field."""
        loss = 0
        for i, (v, g) in enumerate(zip(VOCABULARIES, self.group)):
            clusters = math.ceil(v / g)
            c = target[i] // g
            loss = loss + F.cross_entropy(self.cluster[i](h), c)
            order = torch.argsort(c)
            counts = torch.bincount(c, minlength=clusters)
            most = int(counts.max())
            start = torch.cumsum(counts, 0) - counts
            place = c[order] * most + torch.arange(len(order)) - start[c[order]]
            rows = h.new_zeros(clusters * most, H).index_copy(0, place, h[order])
            members = torch.bmm(rows.view(clusters, most, H), self.member[i].transpose(1, 2)).view(-1, g)[place]
            loss = loss + F.cross_entropy(members, target[i][order] % g)
        return loss

    def forward(self, tokens, numbers, target, state):
        x = self.numbers(numbers)
        for i, table in enumerate(self.table):
            x = x + table(tokens[i])
        out, state = self.gru(x, state)
        return self.loss(out.reshape(-1, H), target), state


def batch():
    """Tokens [fields][lanes][window], numbers, and the next event's tokens [fields][lanes * window]."""
    tokens = torch.stack([torch.randint(0, v, (LANES, WINDOW + 1)) for v in VOCABULARIES])
    return (tokens[:, :, :-1].contiguous(), torch.randn(LANES, WINDOW, NUMBERS),
            tokens[:, :, 1:].reshape(len(VOCABULARIES), -1).contiguous())


def main(kind, seconds):
    torch.manual_seed(1)
    torch.set_num_threads(2)
    torch.set_flush_denormal(True)
    net = Net(kind)
    adam = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.01, fused=True)
    batches = [batch() for _ in range(4)]
    state, rates, begin = torch.zeros(1, LANES, H), [], time.perf_counter()
    while len(rates) < 5 or time.perf_counter() - begin < seconds:
        at = time.perf_counter()
        loss, state = net(*batches[len(rates) % 4], state)
        state = state.detach()
        adam.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        adam.step()
        rates.append(LANES * WINDOW / (time.perf_counter() - at))
    print(json.dumps({"events_per_second": round(statistics.median(rates[2:])), "best": round(max(rates)),
                      "steps": len(rates), "loss": round(loss.item(), 3), "version": torch.__version__}))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
