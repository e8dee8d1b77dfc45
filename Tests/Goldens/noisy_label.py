"""The noisy-label rules and the meta-algorithm against backdoors in plain PyTorch, to be read beside the paper
("Defending Backdoor Attacks via Robustness against Noisy Label", algorithms 1 and 2).

Rules on a batch of B logits z and labels y (table 4):
    SPL        keep the int((1 - eps) B) smallest CE(z, y), at least one; equal scores: the earlier sample
    PRL        likewise by ||softmax(z) - onehot(y)||_2
    Bootstrap  keep all; targets alpha onehot(y) + (1 - alpha) onehot(argmax z), alpha .8, constant for the gradient
    every      keep all with their labels
Loss: mean cross entropy over the kept samples.

Inner maximisation (equation 5): g = d loss(f(x)) / dx with the inner rule,
    per-sample   c_i = tau sign(g_i); 0 for samples that the rule dropped, unless all are perturbed
    shared       c = tau mean over the kept i of sign(g_i), for every sample, unless only the kept are perturbed
    x' = clip(x + c, 0, 1)
Outer minimisation: loss(f(x')) with the outer rule, one AdamW step (lr 3e-4, betas .9 .999, weight decay .01).
The network is in train mode in the outer step; in the inner step in train mode (its running statistics move) or in eval mode.

Singular values of the last layer (algorithm 2): truncate W = U min(S, s) V^T, or divide W = s W / S_max.
"""

import math

import torch
import torch.nn.functional as F


def score(rule, z, y):
    if rule == "spl":
        return F.cross_entropy(z, y, reduction="none")
    return (z.softmax(1) - F.one_hot(y, z.shape[1])).norm(dim=1)


def choose(rule, z, y, eps=0.25, alpha=0.8):
    """Kept rows and their targets."""
    z = z.detach()
    every = torch.arange(len(y))
    if rule == "every":
        return every, y
    if rule == "bootstrap":
        K = z.shape[1]
        return every, (alpha * F.one_hot(y, K) + (1 - alpha) * F.one_hot(z.argmax(1), K)).to(z.dtype)
    keep = max(1, math.floor((1 - eps) * len(y) + 1e-9))
    rows = torch.sort(score(rule, z, y), stable=True).indices[:keep]
    return rows, y[rows]


def rule_loss(rule, z, y, **settings):
    rows, targets = choose(rule, z, y, **settings)
    return F.cross_entropy(z[rows], targets), rows


def inner(f, x, y, rule, tau=0.05, form="per-sample", perturb_all=None, **settings):
    x = x.clone().requires_grad_()
    loss, rows = rule_loss(rule, f(x), y, **settings)
    (g,) = torch.autograd.grad(loss, x)
    kept = torch.zeros(len(y), 1, 1, 1, dtype=x.dtype)
    kept[rows] = 1
    if form == "shared":
        c = (tau * g[rows].sign().mean(0, keepdim=True)).expand_as(x)
        everywhere = perturb_all is not False
    else:
        c = tau * g.sign()
        everywhere = perturb_all is True
    if not everywhere:
        c = c * kept
    return dict(loss=loss.detach(), rows=rows, gradient=g, c=c, images=(x.detach() + c).clamp(0, 1))


def truncate(w, largest):
    u, s, vt = torch.linalg.svd(w, full_matrices=False)
    return u @ torch.diag(s.clamp(max=largest)) @ vt


def divide(w, largest):
    return w * (largest / torch.linalg.matrix_norm(w, 2))
