"""Goldens of MixMatch: ``mixmatch.safetensors`` with settings in ``mixmatch.json``.

A whole batch with a given mixing ratio and permutation on a small network in training mode:
Conv2d(3, 4, 3, padding 1), BatchNorm2d(4), ReLU, global average, Linear(4, 3), filled by the filling rule.

    x = images([B, 3, 6, 6], 0.1), u_k = images([B, 3, 6, 6], 1.3 + k), labels [i * 2 % 3]
    permutation [(5 i + 2) mod (1 + K) B] (5 and (1 + K) B have no common factor)

The weights are (weight = 7.5): loss = Lx + 7.5 Lu. Interleaving follows the exchange of the MixMatch authors' code, written here by
lists of slices.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F

from goldens import Book, fill, images, output_folder, pattern, write_json

book, index = Book(), {}


def network():
    return fill(nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)))


def exchanged(groups, batch):
    """Groups of rows, each cut into len(groups) parts; group i and group 0 exchange part i."""
    count = len(groups)
    sizes = [batch // count] * count
    for i in range(batch % count):
        sizes[-1 - i] += 1
    parts = [list(g.split(sizes)) for g in groups]
    for i in range(1, count):
        parts[0][i], parts[i][i] = parts[i][i], parts[0][i]
    return [torch.cat(p) for p in parts]


def case(name, batch, views, ratio, guess, temperature=0.5):
    model = network().train()
    x = images((batch, 3, 6, 6), 0.1)
    u = [images((batch, 3, 6, 6), 1.3 + k) for k in range(views)]
    labels = torch.tensor([i * 2 % 3 for i in range(batch)])
    rows = batch * (1 + views)
    order = torch.tensor([(5 * i + 2) % rows for i in range(rows)])
    assert sorted(order.tolist()) == list(range(rows))
    with torch.no_grad():
        model.train(guess == "batch")
        p = sum(model(v).softmax(1) for v in u) / views
        model.train()
        p = p ** (1 / temperature)
        guesses = p / p.sum(1, keepdim=True)
    inputs = torch.cat([x] + u)
    targets = torch.cat([F.one_hot(labels, 3).float()] + [guesses] * views)
    inputs = ratio * inputs + (1 - ratio) * inputs[order]
    targets = ratio * targets + (1 - ratio) * targets[order]
    logits = exchanged([model(part) for part in exchanged(list(inputs.split(batch)), batch)], batch)
    lx = -(logits[0].log_softmax(1) * targets[:batch]).sum(1).mean()
    lu = ((torch.cat(logits[1:]).softmax(1) - targets[batch:]) ** 2).mean()
    (lx + 7.5 * lu).backward()
    book.add(name, guesses=guesses, targets=targets, mixed=inputs.sum((1, 2, 3)), lx=lx, lu=lu)
    for key, parameter in model.named_parameters():
        book.add(name, **{f"grad__{key}": parameter.grad})
    book.add(name, mean=model[1].running_mean, var=model[1].running_var)
    index[name] = {"batch": batch, "views": views, "ratio": ratio, "guess": guess, "temperature": temperature}


case("published", 4, 2, 0.8, "batch")
case("uneven", 7, 2, 0.55, "batch")
case("running", 4, 2, 0.8, "running")
case("three_views", 4, 3, 0.9, "batch", temperature=0.3)
case("one_view", 6, 1, 1.0, "batch")

out = output_folder()
book.write(out / "mixmatch.safetensors")
write_json(out / "mixmatch.json", {"cases": index})
