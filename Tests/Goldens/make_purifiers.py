"""Goldens of the defenses that purify a model: ``purifiers.safetensors`` and ``purifiers.json``.

Network: PreActResNet18 of width 4 with 10 classes, filled by the rule with phase offset 3.8; images 0.5 + 0.5 * pattern([6, 3, 16, 16],
0.5), rounded to whole 255ths, labels 0 to 5. Each method is written out from its description.

    fp/logits           of the network; fp.order: channels of its last stage by mean activation, ascending
    anp/...             masks 1 - 0.3 * |pattern|, noise 0.4 * pattern in front of one sign step of 0.2, kept in +-0.4 (``project``)
                        or not (``free``), running statistics: natural, robust, total; grad/<layer>, updated/<layer> for KEPT
                        masks: gradient of total, and the mask after an SGD step of 0.2 clipped to [0, 1]
    ep/values, ep/entropies     rows of made-up pre-activations; the rows that do not vary have no entropy (-1)
"""

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

if __name__ == "__main__":
    folder = output_folder()
    book.write(folder / "purifiers.safetensors")
    write_json(folder / "purifiers.json", index)
