"""Goldens of self-supervised losses and updates: ``self_supervision.safetensors`` with settings in ``self_supervision.json``.

Independent of Antidote: plain loops over the definitions where that is feasible.

    NT-Xent    z = unit rows of pattern([2N, D], 0.4, 1.5); value and gradient at the pattern
    MoCo       q, k = unit rows of pattern([N, D], 0.4), pattern([N, D], 1.1); queue = unit rows of pattern([K, D], 2.3)
    network    Linear(6, 5), ReLU, Linear(5, 4) filled by the filling rule; two optimizer steps (SGD .1) with momentum .9 of the target
"""

import copy
import math

import torch
import torch.nn.functional as F

from goldens import Book, fill, output_folder, pattern, write_json

book, index = Book(), {}


def unit(x):
    return x / x.norm(dim=1, keepdim=True)


def nt_xent(z, temperature, anchors):
    n = z.shape[0] // 2
    total = 0.0
    for i in range(2 * n if anchors == "all" else n):
        j = (i + n) % (2 * n)
        numerator = (z[i] @ z[j] / temperature).exp()
        denominator = sum((z[i] @ z[k] / temperature).exp() for k in range(2 * n) if k != i)
        total = total - (numerator / denominator).log()
    return total / (2 * n if anchors == "all" else n)


for n, d, temperature in ((3, 4, 0.5), (5, 6, 0.1), (1, 3, 0.5)):
    for anchors in ("all", "first"):
        x = pattern((2 * n, d), 0.4, 1.5).requires_grad_()
        value = nt_xent(unit(x), temperature, anchors)
        value.backward()
        name = f"nt_xent_{n}_{anchors}"
        book.add(name, value=value, grad=x.grad)
        index[name] = {"n": n, "d": d, "temperature": temperature, "anchors": anchors}


def info_nce(q, k, queue, temperature):
    total = 0.0
    for i in range(q.shape[0]):
        positive = (q[i] @ k[i] / temperature).exp()
        negatives = sum((q[i] @ row / temperature).exp() for row in queue)
        total = total - (positive / (positive + negatives)).log()
    return total / q.shape[0]


N, D, K = 3, 4, 7
x = pattern((N, D), 0.4).requires_grad_()
key, queue = unit(pattern((N, D), 1.1)), unit(pattern((K, D), 2.3))
value = info_nce(unit(x), key, queue, 0.1)
value.backward()
book.add("moco", value=value, grad=x.grad)

x, y = pattern((N, D), 0.4).requires_grad_(), pattern((N, D), 1.1)
value = ((unit(x) - unit(y)) ** 2).sum(1).mean()
value.backward()
book.add("byol", value=value, grad=x.grad)

# Two steps of a student with a slow target, and of a queue written as a ring: its entries in order of age are what counts.
online = fill(torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.ReLU(), torch.nn.Linear(5, 4)))
target = copy.deepcopy(online)
optimizer = torch.optim.SGD(online.parameters(), lr=0.1)
ring, pointer = unit(pattern((K, D), 2.3)).clone(), 0
for step in range(3):
    a, b = pattern((N, 6), 0.2 + step), pattern((N, 6), 0.7 + step)
    q = unit(online(a))
    with torch.no_grad():
        k = unit(target(b))
    ages = [(pointer - 1 - i) % K for i in range(K)]  # newest first
    value = info_nce(q, k, ring[ages], 0.1)
    optimizer.zero_grad()
    value.backward()
    optimizer.step()
    with torch.no_grad():
        for p, t in zip(online.parameters(), target.parameters()):
            t.copy_(0.9 * t + 0.1 * p)
        for row in reversed(range(N)):  # so that row 0 is the newest
            ring[pointer] = k[row]
            pointer = (pointer + 1) % K
    ages = [(pointer - 1 - i) % K for i in range(K)]
    book.add(f"steps_{step}", value=value, queue=ring[ages])
    for name, tensor in target.state_dict().items():
        book.add(f"steps_{step}", **{f"target__{name}": tensor})

out = output_folder()
book.write(out / "self_supervision.safetensors")
write_json(out / "self_supervision.json", {"cases": index})
