"""One training step of the network of bench/train.sh in PyTorch, tuned fp32: fused AdamW, threads pinned (by the
caller), tcmalloc if the caller preloads it.

usage: train_torch.py dense|factored SECONDS; prints one JSON object: events_per_second (median over steps), steps,
version. 8 category fields in and out, 2 numbers, GRU; 32 sequences x 128 events a step, state carried over.
factored: every vocabulary in two levels, about sqrt(V) clusters, as Florin's; dense: one softmax each.
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
    def __init__(self, factored):
        super().__init__()
        self.factored = factored
        self.table = nn.ModuleList(nn.Embedding(v, D) for v in VOCABULARIES)
        self.numbers = nn.Linear(NUMBERS, D)
        self.gru = nn.GRU(D, H, batch_first=True)
        self.group = [math.ceil(math.sqrt(v)) for v in VOCABULARIES]
        if factored:
            self.cluster = nn.Linear(H, sum(math.ceil(v / g) for v, g in zip(VOCABULARIES, self.group)))
            self.member = nn.ParameterList(
                nn.Parameter(torch.randn(math.ceil(v / g), g, H) * 0.02) for v, g in zip(VOCABULARIES, self.group))
        else:
            self.head = nn.Linear(H, sum(VOCABULARIES))

    def dense_loss(self, h, target):
        loss, at, logits = 0, 0, self.head(h)
        for i, v in enumerate(VOCABULARIES):
            loss = loss + F.cross_entropy(logits[:, at:at + v], target[:, i])
            at += v
        return loss

    def factored_loss(self, h, target):
        """Rows sorted by cluster and padded to the largest one: a batched product per field."""
        loss, at, logits = 0, 0, self.cluster(h)
        for i, (v, g) in enumerate(zip(VOCABULARIES, self.group)):
            clusters = math.ceil(v / g)
            c = target[:, i] // g
            loss = loss + F.cross_entropy(logits[:, at:at + clusters], c)
            at += clusters
            order = torch.argsort(c)
            counts = torch.bincount(c, minlength=clusters)
            most = int(counts.max())
            start = torch.cumsum(counts, 0) - counts
            place = c[order] * most + torch.arange(len(order)) - start[c[order]]
            rows = h.new_zeros(clusters * most, H).index_copy(0, place, h[order])
            members = torch.bmm(rows.view(clusters, most, H), self.member[i].transpose(1, 2)).view(-1, g)[place]
            loss = loss + F.cross_entropy(members, target[order, i] % g)
        return loss

    def forward(self, tokens, numbers, target, state):
        x = self.numbers(numbers)
        for i, table in enumerate(self.table):
            x = x + table(tokens[:, :, i])
        out, state = self.gru(x, state)
        h = out.reshape(-1, H)
        return (self.factored_loss if self.factored else self.dense_loss)(h, target.reshape(-1, len(VOCABULARIES))), state


def main(kind, seconds):
    torch.manual_seed(1)
    torch.set_num_threads(2)
    net = Net(kind == "factored")
    adam = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.01, fused=True)
    batches = [(torch.stack([torch.randint(0, v, (LANES, WINDOW + 1)) for v in VOCABULARIES], 2),
                torch.randn(LANES, WINDOW, NUMBERS)) for _ in range(4)]
    state, rates, begin = torch.zeros(1, LANES, H), [], time.perf_counter()
    while len(rates) < 4 or time.perf_counter() - begin < seconds:
        tokens, numbers = batches[len(rates) % 4]
        at = time.perf_counter()
        loss, state = net(tokens[:, :-1], numbers, tokens[:, 1:], state)
        state = state.detach()
        adam.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        adam.step()
        rates.append(LANES * WINDOW / (time.perf_counter() - at))
    print(json.dumps({"events_per_second": round(statistics.median(rates[2:])), "steps": len(rates),
                      "loss": round(loss.item(), 3), "version": torch.__version__}))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
