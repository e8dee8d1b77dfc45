"""Goldens of the audit's statistics: ``audit.safetensors`` and ``audit.json``.

Network: PreActResNet18 of width 4 with 10 classes, filled by the rule with phase offset 3.8, the weights of its layers times 0.7
and of its last layer times 8; images 0.5 + 0.5 * pattern([6, 3, 16, 16], 0.5), rounded to whole 255ths. The sources are its
predictions; the targets 7 and 2. Each statistic is written out from its description, one target at a time.

    sources             predictions on the images
    margin.values       largest margins after 4 steps of .05 (1 - s / 4) from starts 0.5 + 0.5 * pattern([3, 3, 16, 16], 1 + target)
    patch/...           of 5 pixels: mask and colour after the first step of Frank-Wolfe and after 4 (opaque), by target; on all
                        images in each step; sums: log-odds, margins, successes and counts with the opaque patch
    perturbation/...    of 8/255 after 4 steps of .2 * 8/255 * (1 - s / 4); sums as above
    score               a bank of 5 made-up models with 3 classes and 2 statistics, the class scales, scores and p by numpy
    partial             the same, where the audited model was measured for two of the classes
    interval            Clopper-Pearson bounds from sums of the binomial distribution
"""

import math

import numpy as np
import torch

from architectures import PreActResNet18
from goldens import Book, fill, images, output_folder, pattern, write_json

TARGETS = [7, 2]
net = fill(PreActResNet18(width=4), 3.8).eval()
with torch.no_grad():
    for name, p in net.named_parameters():
        if p.dim() >= 2:
            p.mul_(8 if name == "linear.weight" else 0.7)
for p in net.parameters():
    p.requires_grad_(False)
X = (images((6, 3, 16, 16), 0.5) * 255).round().clamp(0, 255) / 255
book, index = Book(), {}
sources = net(X).argmax(1)
index["sources"] = sources.tolist()


def gradient(x, t):
    """Of the sum of log p_t over the images of other sources."""
    x = x.clone().requires_grad_()
    lp = torch.log_softmax(net(x), 1)[:, t]
    return torch.autograd.grad((lp * (sources != t)).sum(), x)[0]


def sums(x, t):
    z = net(x).double()[sources != t]
    rest = torch.cat([z[:, :t], z[:, t + 1 :]], 1)
    margin = z[:, t] - rest.max(1).values
    log_odds = z[:, t] - torch.logsumexp(rest, 1)
    return torch.stack([log_odds.sum(), margin.sum(), (margin > 0).double().sum(), torch.ones(len(z)).double().sum()])


# Largest margins
values = []
for t in TARGETS:
    x = images((3, 3, 16, 16), 1 + t)
    best = -math.inf
    for s in range(5):
        x = x.detach().requires_grad_()
        z = net(x)
        margin = z[:, t] - torch.cat([z[:, :t], z[:, t + 1 :]], 1).max(1).values
        best = max(best, margin.max().item())
        if s < 4:
            g = torch.autograd.grad(margin.sum(), x)[0]
            x = x.detach() + 0.05 * (1 - s / 4) * g.sign()
            x = x.clamp(0, 1)
    values.append(best)
index["margin"] = {"values": values}

# Sparse patch
K = 5
first_mask, first_colour, masks, colours, scored = [], [], [], [], []
for t in TARGETS:
    m, u = torch.zeros(1, 16, 16), torch.zeros(3, 16, 16)
    for s in range(4):
        x = X * (1 - m) + u
        g = gradient(x, t)
        G = g.sum(0)
        gain = np.zeros(256)
        for p in range(256):
            i, j = divmod(p, 16)
            best_colour = (G[:, i, j] > 0).float()
            gain[p] = (G[:, i, j] * best_colour).sum() - (g[:, :, i, j] * X[:, :, i, j]).sum()
        vm, vu = torch.zeros(1, 16, 16), torch.zeros(3, 16, 16)
        for p in sorted(range(256), key=lambda p: -gain[p])[:K]:
            if gain[p] > 0:
                i, j = divmod(p, 16)
                vm[0, i, j] = 1
                vu[:, i, j] = (G[:, i, j] > 0).float()
        share = 2 / (s + 2)
        m, u = (1 - share) * m + share * vm, (1 - share) * u + share * vu
        if s == 0:
            first_mask.append(m)
            first_colour.append(u)
    chosen = sorted(range(256), key=lambda p: (-round(m.flatten()[p].item() * 1e5), p))[:K]
    om, ou = torch.zeros(1, 16, 16), torch.zeros(3, 16, 16)
    for p in chosen:
        i, j = divmod(p, 16)
        if m[0, i, j] > 0:
            om[0, i, j] = 1
            ou[:, i, j] = u[:, i, j] / m[0, i, j]
    masks.append(om)
    colours.append(ou)
    scored.append(sums(X * (1 - om) + ou, t))
book.add("patch", first_mask=torch.stack(first_mask), first_colour=torch.stack(first_colour), mask=torch.stack(masks))
book.add("patch", colour=torch.stack(colours))
index["patch"] = {"sums": torch.stack(scored, 1).tolist()}

# Universal perturbation
eps = 8 / 255
changes, scored = [], []
for t in TARGETS:
    d = torch.zeros(3, 16, 16)
    for s in range(4):
        moved = X + d
        g = gradient(moved.clamp(0, 1), t) * ((moved >= 0) & (moved <= 1))
        d = (d + 0.2 * eps * (1 - s / 4) * g.sum(0).sign()).clamp(-eps, eps)
    changes.append(d)
    scored.append(sums((X + d).clamp(0, 1), t))
book.add("perturbation", change=torch.stack(changes))
index["perturbation"] = {"sums": torch.stack(scored, 1).tolist()}

# Scores over a bank
rng = np.sin(0.7 * np.arange(5 * 3 * 2) + 0.4).reshape(2, 5, 3)
bank = rng * np.array([1.0, 3.0])[:, None, None] + np.array([0.0, 5.0, -2.0])
model = np.array([[0.2, 5.9, -1.0], [0.5, 6.0, -1.0]])


def scale(rows):
    deviation = rows.std(0, ddof=1)
    return rows.mean(0), (deviation + math.sqrt((deviation**2).mean())) / 2


def standardized(row, rows):
    return [(row[s] - scale(rows[s])[0]) / scale(rows[s])[1] for s in range(2)]


# Every model against all the others, the audited one (the last) among them.
everyone = np.concatenate([bank, model[:, None]], 1)
parts = [standardized(everyone[:, i], np.delete(everyone, i, 1)) for i in range(6)]
scores = [sum(z.max() for z in part) for part in parts]
clean, own = scores[:5], sum(parts[5])
index["score"] = {
    "bank": bank.tolist(), "model": model.tolist(), "sums": own.tolist(), "clean": clean,
    "score": scores[5], "clean_sums": [sum(part).max() for part in parts[:5]], "label": int(np.max(parts[5], 0).argmax()),
    "p": (1 + sum(c >= scores[5] for c in clean)) / 6,
}

# The audited model measured for classes 0 and 2 alone: its own values are compared with the bank's as before; a clean model
# is compared with the rest of the bank, and with the audited model where that was measured.
known = [0, 2]
partial = []
for i in range(5):
    total = 0
    for s in range(2):
        columns = [np.delete(bank[s], i, 0)[:, k].tolist() + ([model[s, k]] if k in known else []) for k in range(3)]
        deviation = np.array([np.std(c, ddof=1) for c in columns])
        pooled = math.sqrt((deviation**2).mean())
        z = (bank[s, i] - [np.mean(c) for c in columns]) / ((deviation + pooled) / 2)
        total += z.max()
    partial.append(total)
partial_score = sum(z[known].max() for z in parts[5])
index["partial"] = {
    "score": partial_score, "clean": partial, "label": known[int(np.max(parts[5], 0)[known].argmax())],
    "p": (1 + sum(c >= partial_score for c in partial)) / 6,
}


def binomial(k, n, p):
    return sum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k, n + 1))


def bound(function):
    low, high = 0.0, 1.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) < 0 else (low, middle)
    return low


index["interval"] = [
    {
        "k": k, "n": n,
        "lower": 0 if k == 0 else bound(lambda p: binomial(k, n, p) - 0.025),
        "upper": 1 if k == n else bound(lambda p: 0.025 - (1 - binomial(k + 1, n, p))),
    }
    for k, n in [(0, 10), (3, 10), (10, 10), (23, 24), (7, 250)]
]

folder = output_folder()
book.write(folder / "audit.safetensors")
write_json(folder / "audit.json", index)
