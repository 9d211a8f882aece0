#!/usr/bin/env python3
"""Makes pytorch_step.safetensors: three training steps of a small network, done by PyTorch in double precision.

The network is that of src/model/network.h, written with torch.nn.GRUCell, torch.nn.functional and torch.optim.AdamW;
tests/test_golden_step.c does the same steps with our code and compares. Run it again only when the equations change:

    python3 -m venv V && V/bin/pip install torch==2.15.0 numpy && V/bin/python tests/golden/pytorch_step.py

Steps take a window of each stream and add up both losses; the second goes on where the first ended, states carried over;
the third begins anew, with a fresh optimiser. Each stream has two windows' halves of 2 lanes x 6 steps.
"""
import bisect
import json
import math
import os
import struct

import numpy as np
import torch
import torch.nn.functional as F

H, D, ROWS, STEPS, LANES = 5, 4, 48, 6, 4
CATEGORIES = [("mcc", 7), ("country", 6), ("shop", 262)]
FACTOR_MIN, AMOUNT, DT, TYPES, FEATURES = 256, 66, 34, 2, 3
NUMBERS = 1 + 32 + 2 + FEATURES
RATE, CLIP, DECAY = 3e-3, 0.7, 0.01
STREAMS = ["payer", "payee"]
EDGES = [2 ** (k / 1.25) for k in range(DT - 3)]  # seconds

rng = np.random.default_rng(20260101)
torch.set_default_dtype(torch.float64)

targets = CATEGORIES + [("type", TYPES), ("amount", AMOUNT), ("gap", DT)]


def group(tokens):
    return math.ceil(math.sqrt(tokens)) if tokens > FACTOR_MIN else 0


def parameters():
    """name -> (rows, cols, has weight decay), as fl_network_parameters."""
    p = {}
    for name, tokens in CATEGORIES:
        p[f"cat.{name}.table"] = (tokens, D, False)
    for name, n in [("type", TYPES), ("amount", AMOUNT), ("hour", 24), ("weekday", 7), ("day", 31)]:
        p[f"{name}.table"] = (n, D, False)
    p["num.w"], p["num.b"] = (NUMBERS, D, True), (1, D, False)
    p["mlp.w1"], p["mlp.b1"] = (D, 2 * D, True), (1, 2 * D, False)
    p["mlp.w2"], p["mlp.b2"] = (2 * D, D, True), (1, D, False)
    p["gru.wx"], p["gru.wh"] = (D, 3 * H, True), (H, 3 * H, True)
    p["gru.bx"], p["gru.bh"] = (1, 3 * H, False), (1, 3 * H, False)
    for s in STREAMS:
        p[f"{s}.dt.table"], p[f"{s}.dt.w"] = (DT, D, False), (1, D, False)
        for name, tokens in targets:
            p[f"{s}.head.{name}.w"], p[f"{s}.head.{name}.b"] = (tokens, H, True), (1, tokens, False)
            p[f"{s}.head.{name}.gw"], p[f"{s}.head.{name}.gb"] = (1, H, True), (1, 1, False)
            if group(tokens):
                clusters = math.ceil(tokens / group(tokens))
                p[f"{s}.head.{name}.cw"], p[f"{s}.head.{name}.cb"] = (clusters, H, True), (1, clusters, False)
    return p


shapes = parameters()
w = {n: torch.tensor(rng.normal(0, 0.4, (r, c)).astype(np.float32).astype(np.float64), requires_grad=True)
     for n, (r, c, _) in shapes.items()}

# Rows of the log. Number inputs are stored in steps of 1/3200: exact in single precision.
category = np.stack([rng.integers(0, t, ROWS) for _, t in CATEGORIES], 1).astype(np.uint64)
small = np.stack([rng.integers(0, t, ROWS) for t in (TYPES, AMOUNT, 24, 7, 31)], 1).astype(np.uint64)
fixed = rng.integers(-6400, 6400, (ROWS, NUMBERS))
numbers = (fixed.astype(np.float32) * np.float32(1 / 3200)).astype(np.float64)
time_us = (np.cumsum(rng.integers(1, 400, ROWS) * 1000) * 1000 + 333).astype(np.uint64)
share = rng.integers(0, 5, (len(STREAMS), ROWS, len(targets))).astype(np.float32) / 4

NONE = 2 ** 32 - 1
window = np.zeros((3, STEPS, LANES, 4))  # row, previous, fresh, weight
for k in range(3):
    for lane in range(LANES):
        for t in range(STEPS):
            row = ((k % 2) * STEPS + t) * LANES + lane
            before = row - LANES
            # Histories begin at window 0 (and 2), and again in the middle for lane 1; lane 2 goes on without a past.
            first = (k != 1 and t == 0) or (lane == 1 and t == 3)
            fresh = first or (lane == 2 and t == 2)
            window[k, t, lane] = [row, NONE if first else before, fresh, 0 if lane == 3 and t < 2 else 1]
    window[k, :, :, 3] /= window[k, :, :, 3].sum()
window[:, :, :, 3] = window[:, :, :, 3].astype(np.float32)


def gap(row, previous):
    if previous == NONE:
        return 0, 0.0
    seconds = (int(time_us[row]) - int(time_us[previous])) * 1e-6
    return 2 + bisect.bisect_right(EDGES, seconds), math.log1p(seconds) / 10


def encode(rows):
    e = w["num.b"] + torch.tensor(numbers[rows]) @ w["num.w"]
    for i, (name, _) in enumerate(CATEGORIES):
        e = e + w[f"cat.{name}.table"][category[rows, i].astype(np.int64)]
    for i, name in enumerate(["type", "amount", "hour", "weekday", "day"]):
        e = e + w[f"{name}.table"][small[rows, i].astype(np.int64)]
    return e + F.relu(e @ w["mlp.w1"] + w["mlp.b1"]) @ w["mlp.w2"] + w["mlp.b2"]


def nats_of(s, h, t, row, previous, dt_token):
    """-log p of target t given the state before."""
    name, tokens = targets[t]
    token = {"type": small[row, 0], "amount": small[row, 1], "gap": dt_token}.get(name)
    token = int(category[row, t]) if token is None else int(token)
    head = f"{s}.head.{name}"
    g = group(tokens)
    if g:
        first = token // g * g
        last = min(first + g, tokens)
        log_p = F.log_softmax(h @ w[head + ".cw"].T + w[head + ".cb"][0], 0)[token // g] + F.log_softmax(
            h @ w[head + ".w"][first:last].T + w[head + ".b"][0, first:last], 0)[token - first]
    else:
        log_p = F.log_softmax(h @ w[head + ".w"].T + w[head + ".b"][0], 0)[token]
    if previous == NONE:
        return -log_p
    copy = torch.sigmoid(h @ w[head + ".gw"][0] + w[head + ".gb"][0, 0])
    return -torch.log((1 - copy) * log_p.exp() + copy * float(share[STREAMS.index(s), row, t]))


def forward(s, win, state):
    cell = torch.nn.GRUCell(D, H)
    stand_ins = {"weight_ih": w["gru.wx"].T, "weight_hh": w["gru.wh"].T,
                 "bias_ih": w["gru.bx"][0], "bias_hh": w["gru.bh"][0]}
    nats, loss = np.zeros((STEPS, LANES, len(targets))), 0
    for t in range(STEPS):
        rows = win[t, :, 0].astype(np.int64)
        gaps = [gap(int(r), int(p)) for r, p in zip(rows, win[t, :, 1])]
        x = encode(rows) + w[f"{s}.dt.table"][[g[0] for g in gaps]]
        x = x + torch.tensor([[g[1]] for g in gaps]) * w[f"{s}.dt.w"]
        state = state * torch.tensor(1 - win[t, :, 2:3])
        for lane in range(LANES):
            if not win[t, lane, 3]:
                continue
            for k in range(len(targets)):
                n = nats_of(s, state[lane], k, int(rows[lane]), int(win[t, lane, 1]), gaps[lane][0])
                nats[t, lane, k] = n.item()
                loss = loss + win[t, lane, 3] * n
        state = torch.func.functional_call(cell, stand_ins, (x, state))
    return loss, nats, state.detach()


out = {}


def put(name, array, kind):
    out[name] = (kind, np.ascontiguousarray(array))


def optimiser(names):
    groups = [{"params": [w[n] for n in names if shapes[n][2]], "weight_decay": DECAY},
              {"params": [w[n] for n in names if not shapes[n][2]], "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.999), eps=1e-8)


for n in shapes:
    put(f"start/{n}", w[n].detach().numpy().astype(np.float32), "F32")
for step in range(3):
    if step != 1:
        adam = optimiser(list(shapes))
        state = {s: torch.zeros(LANES, H) for s in STREAMS}
    for n in shapes:
        w[n].grad = None
    total = 0
    for s in STREAMS:
        loss, nats, state[s] = forward(s, window[step], state[s])
        total = total + loss
        put(f"nats/{step}/{s}", nats.astype(np.float32), "F32")
        put(f"state/{step}/{s}", state[s].numpy().astype(np.float32), "F32")
    total.backward()
    if step != 1:
        for n in shapes:
            put(f"gradient/{step}/{n}", w[n].grad.numpy().astype(np.float32), "F32")
    norm = torch.nn.utils.clip_grad_norm_(list(w.values()), CLIP)
    put(f"norm/{step}", np.array([norm.item()], np.float32), "F32")
    adam.step()
    print(f"step {step + 1}: loss {total.item():.6f}, norm {norm.item():.4f} (clipped at {CLIP})")
    if step:
        for n in shapes:
            put(f"after/{step}/{n}", w[n].detach().numpy().astype(np.float32), "F32")
put("rows/category", category.astype(np.uint32), "U32")
put("rows/small", small.astype(np.uint8), "U8")
put("rows/fixed", fixed.astype(np.int16), "I16")
put("rows/time_us", time_us.astype(np.int64), "I64")
put("rows/share", share, "F32")
put("window", window.astype(np.float64), "F64")
put("settings", np.array([RATE, CLIP, DECAY]), "F64")

header, at = {}, 0
for name, (kind, a) in out.items():
    header[name] = {"dtype": kind, "shape": list(a.shape), "data_offsets": [at, at + a.nbytes]}
    at += a.nbytes
text = json.dumps(header, separators=(",", ":")).encode()
text += b" " * (-len(text) % 8)
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pytorch_step.safetensors")
with open(path, "wb") as f:
    f.write(struct.pack("<Q", len(text)) + text)
    for _, a in out.values():
        f.write(a.tobytes())
print(f"{path}: {os.path.getsize(path)} bytes, PyTorch {torch.__version__}")
