"""Goldens of losses for wrong labels: ``robust_losses.safetensors`` with settings in ``robust_losses.json``.

    logits = pattern([5, 4], 0.5, scale), labels = [1, 0, 3, 2, 1]

``value`` is one number a sample; ``mean`` their mean; ``grad`` the gradient of sum(value * pattern(value.shape, 0.3)). A scale of 30 takes
probabilities below the clamp of 1e-7.
"""

import math

import torch

from goldens import Book, output_folder, pattern, weighted_sum, write_json

book, index = Book(), {}
LABELS = torch.tensor([1, 0, 3, 2, 1])


def ce(z, y):
    return -z.log_softmax(1)[torch.arange(len(y)), y]


def rce(z, y):
    p = z.softmax(1).clamp(1e-7, 1)
    q = torch.full_like(p, 1e-4)
    q[torch.arange(len(y)), y] = 1
    return -(p * q.log()).sum(1)


def gce(z, y, q=0.7):
    return (1 - z.softmax(1)[torch.arange(len(y)), y] ** q) / q


def nce(z, y):
    p = z.log_softmax(1)
    return p[torch.arange(len(y)), y] / p.sum(1)


LOSSES = {
    "ce": ce,
    "sce": lambda z, y: 0.1 * ce(z, y) + 1.0 * rce(z, y),
    "gce": gce,
    "apl": lambda z, y: nce(z, y) + rce(z, y),
}
for name, loss in LOSSES.items():
    for scale in (2.0, 30.0):
        z = pattern((5, 4), 0.5, scale).double().requires_grad_()
        value = loss(z, LABELS)
        weighted_sum(value).backward()
        case = f"{name}_{int(scale)}"
        book.add(case, value=value, mean=value.mean(), grad=z.grad)
        index[case] = {"kind": name, "scale": scale}

out = output_folder()
book.write(out / "robust_losses.safetensors")
write_json(out / "robust_losses.json", {"labels": LABELS.tolist(), "cases": index})
