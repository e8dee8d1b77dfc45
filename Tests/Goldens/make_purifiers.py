"""Goldens of the defenses that purify a model: ``purifiers.safetensors`` and ``purifiers.json``.

Network: PreActResNet18 of width 4 with 10 classes, filled by the rule with phase offset 3.8; images 0.5 + 0.5 * pattern([6, 3, 16, 16],
0.5), rounded to whole 255ths, labels 0 to 5. Each method is written out from its description.

    fp/logits           of the network; fp.order: channels of its last stage by mean activation, ascending
    anp/...             masks 1 - 0.3 * |pattern|, noise 0.4 * pattern in front of one sign step of 0.2, kept in +-0.4 (``project``)
                        or not (``free``), running statistics: natural, robust, total; grad/<layer>, updated/<layer> for KEPT
                        masks: gradient of total, and the mask after an SGD step of 0.2 clipped to [0, 1]
    ep/values, ep/entropies     rows of made-up pre-activations; the rows that do not vary have no entropy (-1)
    nc/...              of classes 7 and 2, costs .01 and .002: total loss, success, norms; grad_mask and grad_pattern (before the
                        tanh map), from masks pattern([1, 16, 16]) and patterns pattern([3, 16, 16]) with phases .3 + class
    nc.schedule         success and norm of 40 epochs; cost, best and whether stopped after each
    nc.index            norms, and the index of each by numpy
    nad/...             attention maps and weighted losses of made-up stages, with powers 2 and 3
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch.func import functional_call

from architectures import PreActResNet18
from goldens import Book, fill, images, output_folder, pattern, write_json

KEPT = ["layer1.0.bn1", "layer2.0.bn2", "layer4.1.bn2"]


def network():
    return fill(PreActResNet18(width=4), 3.8).eval()


X = (images((6, 3, 16, 16), 0.5) * 255).round().clamp(0, 255) / 255
Y = torch.arange(6)
book, index = Book(), {}

# Fine-Pruning
net = network()
with torch.no_grad():
    book.add("fp", logits=net(X))
    h = X
    for part in (net.conv1, net.layer1, net.layer2, net.layer3, net.layer4):
        h = part(h)
index["fp"] = {"order": h.double().mean((0, 2, 3)).argsort(stable=True).tolist()}

# Adversarial Neuron Pruning
names = [n for n, m in net.named_modules() if isinstance(m, torch.nn.BatchNorm2d)]
for case, project in (("project", True), ("free", False)):
    state = {k: v.detach() for k, v in net.state_dict().items()}
    masks = [(1 - 0.3 * pattern(state[n + ".weight"].shape, 0.1 * i).abs()).requires_grad_() for i, n in enumerate(names)]
    noise = [
        (0.4 * pattern(state[n + ".weight"].shape, p + 0.2 * i)).requires_grad_() for i, n in enumerate(names) for p in (0.4, 1.1)
    ]

    def loss(masks, noise):
        changed = dict(state)
        for i, n in enumerate(names):
            d, xi = (noise[2 * i], noise[2 * i + 1]) if noise else (0, 0)
            changed[n + ".weight"] = state[n + ".weight"] * (masks[i] + d)
            changed[n + ".bias"] = state[n + ".bias"] * (1 + xi)
        return F.cross_entropy(functional_call(net, changed, (X,)), Y)

    for _ in range(2):  # epsilon .4 in two steps
        up = torch.autograd.grad(loss([m.detach() for m in masks], noise), noise)
        noise = [(n + 0.2 * g.sign()).detach() for n, g in zip(noise, up)]
        noise = [(n.clamp(-0.4, 0.4) if project else n).requires_grad_() for n in noise]
    robust, natural = loss(masks, [n.detach() for n in noise]), loss(masks, None)
    total = 0.3 * natural + 0.7 * robust
    grads = torch.autograd.grad(total, masks)
    book.add(f"anp/{case}", robust=robust, natural=natural, total=total)
    for i, n in enumerate(names):
        if n in KEPT:
            book.add(f"anp/{case}", **{f"grad__{n}": grads[i], f"updated__{n}": (masks[i] - 0.2 * grads[i]).clamp(0, 1)})

# Entropy-based pruning
values = pattern((9, 40), 0.2)
values[3] = values[3].sign() + 0.01 * values[3]  # two tight groups: low entropy
values[5] = 2.5  # never varies
rows = values.double()
standard = (rows - rows.mean(1, keepdim=True)) / rows.std(1, keepdim=True).clamp(min=1e-12)
standard[5] = 0
low, width = float(standard.min()), 0.25
entropies = []
for r in range(9):
    counts = {}
    for v in standard[r].tolist():
        b = int((v - low) // width)
        counts[b] = counts.get(b, 0) + 1
    p = torch.tensor([c / 40 for c in counts.values()], dtype=torch.float64)
    entropies.append(-1.0 if r == 5 else float(-(p * p.log()).sum()))
book.add("ep", values=values)
index["ep"] = {"width": width, "entropies": entropies}

# Neural Cleanse: loss
def unit(x):
    return torch.tanh(x) / (2 + 1e-7) + 0.5


total, success, norms, grads = 0, [], [], {}
for k, cost in ((7, 0.01), (2, 0.002)):
    m = pattern((1, 16, 16), 0.3 + k).requires_grad_()
    p = pattern((3, 16, 16), 1.3 + k).requires_grad_()
    z = net((1 - unit(m)) * X + unit(m) * unit(p))
    loss = F.cross_entropy(z, torch.full((6,), k)) + cost * torch.norm(unit(m), 1)
    loss.backward()
    total = total + loss.detach()
    success.append((z.argmax(1) == k).float().mean())
    norms.append(unit(m).sum().detach())
    book.add("nc", **{f"grad_mask__{k}": m.grad, f"grad_pattern__{k}": p.grad})
book.add("nc", total=total, success=torch.stack(success), norms=torch.stack(norms))

# Neural Cleanse: cost. A class that works, is pressed until it fails, and comes back with ever smaller gains.
rates = [0.2] * 2 + [0.995] * 9 + [0.7] * 4 + [1.0] * 8 + [0.98] * 4 + [0.99] * 13
sizes = [50.0 - i for i in range(20)] + [31.0, 31.5, 30.9, 30.9, 31.0, 33.0] + [29.0] * 4 + [30.0, 29.5] + [30.9] * 8
PATIENCE, STOP, STOP_AT = 3, 6, 0.99
cost, best, seen, stopped = 0.0, float("inf"), float("inf"), False
runs = {"set": 0, "up": 0, "down": 0, "stale": 0}
moved = {"up": False, "down": False}
rows = []
for rate, size in zip(rates, sizes):
    if not stopped:
        good = rate >= 0.99
        if good and size < best:
            best = size
        if best < float("inf"):
            runs["stale"] = runs["stale"] + 1 if best >= STOP_AT * seen else 0
        seen = min(seen, best)
        stopped = moved["up"] and moved["down"] and runs["stale"] >= STOP
        if not stopped:
            if cost == 0 and good:
                runs["set"] += 1
                if runs["set"] == PATIENCE:
                    cost = 0.004
                    runs["up"] = runs["down"] = 0
                    moved = {"up": False, "down": False}
            else:
                runs["set"] = 0
            runs["up"], runs["down"] = (runs["up"] + 1, 0) if good else (0, runs["down"] + 1)
            if runs["up"] == PATIENCE:
                cost, runs["up"], moved["up"] = cost * 1.5, 0, True
            elif runs["down"] == PATIENCE:
                cost, runs["down"], moved["down"] = cost / 1.5**1.5, 0, True
    rows.append([rate, size, cost, -1.0 if best == float("inf") else best, float(stopped)])
index["nc"] = {"schedule": rows}
lists = [[31.0, 28.5, 40.25, 9.5, 33.0, 35.5, 30.0, 29.0, 38.0, 27.0], [4.0, 9.0, 11.0], [5.0, 5.0, 5.0, 5.0], [1.0, 7.0, 5.0, 8.0]]
index["nc"]["index"] = []
for values in lists:
    a = np.array(values)
    mad = 1.4826 * np.median(np.abs(a - np.median(a)))
    index["nc"]["index"].append([values, [0.0 if v == np.median(a) else float((np.median(a) - v) / mad) for v in a]])

# Neural Attention Distillation
shapes = [(3, 4, 5, 5), (3, 6, 3, 3), (3, 8, 2, 2), (3, 8, 1, 1)]
own = [pattern(s, 0.1 + i).requires_grad_() for i, s in enumerate(shapes)]
taught = [pattern(s, 0.9 + i) for i, s in enumerate(shapes)]
for power in (2, 3):
    maps = [F.normalize(t.abs().pow(power).sum(1).flatten(1), dim=1, eps=0) for t in taught]
    book.add(f"nad/{power}", map=maps[0].view(3, 5, 5))

    def length(t):
        m = t.abs().pow(power).sum(1, keepdim=True)
        return m / (m.norm(dim=(2, 3), keepdim=True) + 1e-6)

    # Weights belong to the last stages of more than a pixel: of four, the last is left out; of two weights, stages 2 and 3.
    for name, betas in (("three", {0: 50.0, 1: 100.0, 2: 70.0}), ("two", {1: 30.0, 2: 90.0})):
        value = sum(b * F.mse_loss(length(own[i]), length(taught[i])) for i, b in betas.items())
        (grad,) = torch.autograd.grad(value, own[1])
        book.add(f"nad/{power}/{name}", loss=value, grad=grad)

if __name__ == "__main__":
    folder = output_folder()
    book.write(folder / "purifiers.safetensors")
    write_json(folder / "purifiers.json", index)
