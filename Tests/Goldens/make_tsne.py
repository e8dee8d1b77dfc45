"""Goldens of t-SNE (van der Maaten and Hinton 2008): ``tsne.safetensors``.

Affinities by bisection of each point's precision in float64, point by point, and the gradient of the divergence by
central differences, so that neither shares its formula with the implementation under test.
"""

import numpy as np
import torch
from safetensors.torch import save_file

from goldens import output_folder

PERPLEXITY = 4.0


def affinities(x):
    n = len(x)
    p = np.zeros((n, n))
    for i in range(n):
        d = ((x - x[i]) ** 2).sum(1)
        low, high = 1e-6, 1e6
        for _ in range(200):
            beta = np.sqrt(low * high)
            others = np.delete(d, i)
            w = np.exp(-beta * (others - others.min()))
            q = np.insert(w / w.sum(), i, 0)
            entropy = -(q[q > 0] * np.log(q[q > 0])).sum()
            low, high = (beta, high) if entropy > np.log(PERPLEXITY) else (low, beta)
        p[i] = q
    p = p + p.T
    return p / p.sum()


def divergence(p, y):
    d = ((y[:, None] - y[None]) ** 2).sum(-1)
    w = 1 / (1 + d)
    np.fill_diagonal(w, 0)
    q = w / w.sum()
    mask = p > 0
    return (p[mask] * np.log(p[mask] / q[mask])).sum()


def main():
    rng = np.random.default_rng(3)
    x = np.concatenate([rng.normal(size=(8, 5)), rng.normal(size=(8, 5)) + 2.5]).astype(np.float32).astype(np.float64)
    y = rng.normal(size=(16, 2)).astype(np.float32).astype(np.float64)
    p = affinities(x)
    gradient = np.zeros_like(y)
    h = 1e-5
    for index in np.ndindex(*y.shape):
        up, down = y.copy(), y.copy()
        up[index] += h
        down[index] -= h
        gradient[index] = (divergence(p, up) - divergence(p, down)) / (2 * h)
    tensors = {"x": x, "y": y, "affinities": p, "gradient": gradient}
    path = output_folder() / "tsne.safetensors"
    save_file({key: torch.tensor(value, dtype=torch.float32) for key, value in tensors.items()}, str(path))


main()
