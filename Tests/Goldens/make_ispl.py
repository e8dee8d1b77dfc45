"""Goldens of inverse self-paced learning: ``ispl.json``. Whole rounds on made-up losses, from the sentences of the paper (appendix B.1).

A case is a set of samples with labels, and what each iteration t of a round measures as their losses. With n active samples of N:

    p       = min(1, share * N / n)
    T       = floor(2 + min(3, 1 / p))
    beta_t  = 3p at t = 0, a straight line to p over the next 2 iterations, p from then on, never above 1
    L       = eta L + (1 - eta) loss, from L = 0, in float32
    kept_t  = samples whose L is at most the beta_t quantile of all L, or at most the p/8 quantile of their own class

A quantile q of m values is the k-th smallest, k = q m to the nearest whole number, at least 1. The losses here have no ties.
"""

import math

import numpy as np
import torch

from goldens import output_folder, write_json

CASES = {
    # name: active samples, whole set, class sizes, share, eta
    "first_round": (120, 120, [40, 40, 40], 0.12, 0.9),
    "small_class": (150, 150, [100, 45, 5], 0.12, 0.9),
    "collapse": (90, 90, [30, 30, 30], 0.12, 0.5),
    "late_round": (42, 150, [20, 14, 8], 0.12, 0.9),
    "last_round": (12, 150, [9, 3], 0.12, 0.9),
}


def kth_smallest(values, q):
    k = max(1, int(np.rint(q * len(values))))
    return torch.kthvalue(torch.from_numpy(values.copy()), min(k, len(values))).values.item()


cases = {}
for number, (name, (n, total, sizes, share, eta)) in enumerate(CASES.items()):
    assert sum(sizes) == n
    labels = np.array([c for c, size in enumerate(sizes) for _ in range(size)])
    labels = labels[np.argsort(np.sin(1.3 * np.arange(n) + number), kind="stable")]  # classes in no order
    p = min(1.0, share * total / n)
    iterations = math.floor(2 + min(3, 1 / p))
    line = np.interp(np.arange(iterations), [0, 2], [3 * p, p]).clip(max=1)
    running = np.zeros(n, np.float32)
    steps = []
    for t in range(iterations):
        # "collapse": class 0 looks easy whatever it is, so the global quantile alone would drop the other classes.
        ease = np.where(labels == 0, 0.01, 1.0) if name == "collapse" else 1 + 0.3 * labels
        loss = ((1.2 + np.sin(2.1 * np.arange(n) * (1 + 0.01 * t) + 0.4 * t + number)) * ease).astype(np.float32)
        running = (np.float32(eta) * running + np.float32(1 - eta) * loss).astype(np.float32)
        assert len(np.unique(running)) == n
        threshold = kth_smallest(running, line[t])
        own = np.array([kth_smallest(running[labels == c], p / 8) for c in labels])
        kept = (running <= threshold) | (running <= own)
        steps.append({"loss": loss.tolist(), "running": running.tolist(), "kept": np.flatnonzero(kept).tolist()})
    if name == "collapse":
        assert set(labels[kept]) == {0, 1, 2} and (running <= threshold)[labels != 0].sum() == 0
    cases[name] = {"active": n, "total": total, "labels": labels.tolist(), "share": share, "eta": eta, "p": p,
                   "betas": line.tolist(), "steps": steps}
write_json(output_folder() / "ispl.json", {"cases": cases})
