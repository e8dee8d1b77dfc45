"""Shared Adversarial Unlearning (Wei et al., 2023) in plain PyTorch: one batch, written to be read beside the paper.

Notation: student h, frozen reference h_bd, both in eval mode; x pixels in [0, 1], y labels, d the perturbation, B the
batch size. argmax takes the first of equals. x + d is not clamped. Natural logarithms.

Inner maximisation, shared ("A"), at each of T iterations with the current d:
    a = argmax h(x), a_bd = argmax h_bd(x)                                       once, before the loop
    fooled = argmax h(x+d) != a;  fooled_bd = argmax h_bd(x+d) != a_bd
    shared = fooled & fooled_bd & (argmax h(x+d) == argmax h_bd(x+d))
    if every sample is shared: stop (d stays)
    L_adv = 1/(2B) [ sum_{not fooled} CE(h(x+d), y) + sum_{not fooled_bd} CE(h_bd(x+d), y) ]
    JS    = 1/B sum_{not shared} js(softmax h(x+d), softmax h_bd(x+d)),  probabilities clamped at 1e-8
    js(p, q) = 1/2 sum (p log p + q log q) - 1/2 sum (p log m + q log m),  m = (p + q) / 2
    g = d/dd [ lambda3 L_adv - lambda4 JS ],  lambda3 = 0.01, lambda4 = 1
    d <- project(step(d, g))
A shared sample has g = 0 and stays where it is, except under a universal perturbation.

That is the authors' code. With ``samples="all"`` the sums are over all samples, as equations 10 and 11 have them: L_adv
over (all) and (all), JS over (all); no early stop. Under a target "all" means the active ones.

Inner maximisation, vanilla ("C", the maximisation of adversarial training): g = d/dd 1/B sum CE(h(x+d), y) over all
samples; same steps, no masks, no early stop. With a target: g = d/dd -1/B sum_{active} CE(h(x+d), t*).

Universal (appendix A.4, max over one d of the sum over samples): d has shape [1, C, H, W]; the objective of "A" is
unchanged, its sum over the batch is differentiated with respect to the single d; norms are of that single d.

Targeted (appendix A.5, target label t*): active = (y != t*), since the risk is defined on D_{-t*}.
    fooled = active & (argmax h(x+d) == t*);  fooled_bd likewise;  shared = fooled & fooled_bd
    stop if every active sample is shared
    L_adv = -1/(2B) [ sum_{active, not fooled} CE(h(x+d), t*) + sum_{active, not fooled_bd} CE(h_bd(x+d), t*) ]
    JS over active samples that are not shared; B is the whole batch.
The outer step adds (t == t*) to the mask. Inactive samples keep the starting perturbation and are never in the mask.

Perturbation sets; norms are per sample (per d when universal), D = C H W:
    linf       step d + eta sign(g)                            project: clamp to [-r, r]
    l2         step d + eta g / ||g||_2   (no move if g = 0)   project: d min(1, r / ||d||_2)
    l1         steepest ascent: the coordinate k with the largest |g_k| (the first of equals) moves by
               eta sign(g_k); no move if g = 0                 project: Euclidean, onto the L1 ball (below)
    l2_sign, l1_sign   the sign step of the paper's algorithm 1, d + eta sign(g), with the projections of l2 and l1
    start "max": project(r everywhere), that is r in linf, r / sqrt(D) in l2, r / D in l1.
    l1_scaled, l1_sign_scaled   the same with the authors' projection: d min(1, r / ||d||_1)
Projection onto the L1 ball (Duchi et al., 2008): d if ||d||_1 <= r; otherwise u = |d| sorted descending, c its
cumulative sum, rho = the largest j with u_j > (c_j - r) / j, theta = (c_rho - r) / rho, sign(d) max(|d| - theta, 0).

Only algorithm 1's sign step gives the paper's configuration 5 (L1 radius 300, step 0.2, 5 steps) any work to do: the
steepest step moves at most one L1 unit in five iterations. Configuration 4 (L2 radius 5) likewise.

Outer minimisation, with one forward of [x; x+d] on h:
    t = argmax h_bd(x+d);  M = (t != y) & (t != argmax h_bd(x));  p = softmax h(x+d)
    (``mask="wrong"``, equation 12: M = (t != y))
    L_sar = 1/(2B) [ - sum_M log(1e-6 + min(sum_{k != t} p_k, 0.999)) - sum_M log(1 + 1e-6 - max(p_t, 0.001)) ]
    "B" (shared):   lambda1 CE(h(x), y) + lambda2 L_sar,      lambda1 = lambda2 = 1, CE the mean over the batch
    "D" (vanilla):  CE(h(x), y) + CE(h(x+d), y), both means over the batch; with a target the second is the sum over the
                    active samples, over B. The paper swaps L_sar for the risk of vanilla
                    adversarial training inside the same problem (classification risk + adversarial risk), so the clean
                    term stays.
    then one Adam step, amsgrad, lr 1e-4, betas (0.9, 0.999), eps 1e-8, weight decay 0, over all parameters.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F


def flat_norm(d, p):
    return d.flatten(1).norm(p=p, dim=1).view(-1, 1, 1, 1)


def project_l1(d, r):
    rows = []
    for row in d.flatten(1):
        if row.abs().sum() > r:
            u = row.abs().sort(descending=True).values
            c = u.cumsum(0)
            j = torch.arange(1, len(u) + 1, dtype=u.dtype)
            rho = int((u > (c - r) / j).nonzero().max())
            theta = (c[rho] - r) / (rho + 1)
            row = row.sign() * (row.abs() - theta).clamp(min=0)
        rows.append(row)
    return torch.stack(rows).view_as(d)


def project_l2(d, r):
    n = flat_norm(d, 2)
    return torch.where(n > r, d * (r / n), d)


@dataclass
class Ball:
    norm: str  # linf, l2, l1, l2_sign, l1_sign, l1_scaled, l1_sign_scaled
    radius: float
    step: float

    def project(self, d):
        if self.norm == "linf":
            return d.clamp(-self.radius, self.radius)
        if self.norm.endswith("scaled"):
            n = flat_norm(d, 1)
            return torch.where(n > self.radius, d * (self.radius / n), d)
        return (project_l2 if self.norm.startswith("l2") else project_l1)(d, self.radius)

    def move(self, d, g):
        if self.norm == "l2":
            n = flat_norm(g, 2)
            return d + self.step * torch.where(n > 0, g / n, torch.zeros_like(g))
        if self.norm in ("l1", "l1_scaled"):
            rows = g.flatten(1)
            k = rows.abs().argmax(1, keepdim=True)
            change = torch.zeros_like(rows).scatter(1, k, rows.gather(1, k).sign())
            return d + self.step * change.view_as(d)
        return d + self.step * g.sign()

    def start(self, x):
        return self.project(torch.full_like(x, self.radius))


def js(p, q):
    p, q = p.clamp(min=1e-8), q.clamp(min=1e-8)
    m = (p + q) / 2
    return 0.5 * (p * p.log() + q * q.log()).sum(1) - 0.5 * (p * m.log() + q * m.log()).sum(1)


@dataclass
class Inner:
    delta: torch.Tensor
    start: torch.Tensor
    trace: list[dict] = field(default_factory=list)  # one entry an executed iteration
    stopped_early: bool = False


def maximise(h, h_bd, x, y, ball, steps=5, start=None, kind="shared", universal=False, target=None, lambda3=0.01, lambda4=1.0, samples="open"):
    d = ball.start(x) if start is None else start.clone()
    if universal:
        d = d[:1].clone()
    result = Inner(d, d.clone())
    B = len(x)
    with torch.no_grad():
        a, a_bd = h(x).argmax(1), h_bd(x).argmax(1)
    active = torch.ones(B, dtype=torch.bool) if target is None else y != target
    for _ in range(steps):
        d = d.detach().requires_grad_()
        z = h(x + d)
        if kind == "vanilla":
            z_bd = h_bd((x + d).detach())
            if target is None:
                objective = F.cross_entropy(z, y, reduction="sum") / B
            else:
                towards = F.cross_entropy(z, torch.full_like(y, target), reduction="none")
                objective = -(towards * active).sum() / B
        else:
            z_bd = h_bd(x + d)
        pred, pred_bd = z.argmax(1), z_bd.argmax(1)
        if target is None:
            fooled, fooled_bd = pred != a, pred_bd != a_bd
            shared = fooled & fooled_bd & (pred == pred_bd)
        else:
            fooled, fooled_bd = active & (pred == target), active & (pred_bd == target)
            shared = fooled & fooled_bd
        entry = dict(pred=pred, pred_bd=pred_bd, fooled=fooled, fooled_bd=fooled_bd, shared=shared)
        if samples == "all":
            fooled, fooled_bd, shared = (torch.zeros_like(fooled) for _ in range(3))
        if kind == "shared":
            if samples == "open" and bool((shared | ~active).all()):
                result.stopped_early = True
                break
            label = y if target is None else torch.full_like(y, target)
            sign = 1.0 if target is None else -1.0
            ce, ce_bd = F.cross_entropy(z, label, reduction="none"), F.cross_entropy(z_bd, label, reduction="none")
            l_adv = sign * ((ce * (active & ~fooled)).sum() + (ce_bd * (active & ~fooled_bd)).sum()) / (2 * B)
            divergence = (js(z.softmax(1), z_bd.softmax(1)) * (active & ~shared)).sum() / B
            objective = lambda3 * l_adv - lambda4 * divergence
            entry |= dict(l_adv=l_adv.detach(), js=divergence.detach())
        (g,) = torch.autograd.grad(objective, d)
        d = ball.project(ball.move(d.detach(), g))
        result.trace.append(entry | dict(objective=objective.detach(), gradient=g, delta=d))
    result.delta = d.detach()
    return result


def outer_loss(h, h_bd, x, y, d, kind="shared", target=None, lambda1=1.0, lambda2=1.0, mask="moved"):
    B = len(x)
    with torch.no_grad():
        clean_bd = h_bd(x).argmax(1)
        t = h_bd(x + d).argmax(1)
    M = (t != y) & ((t != clean_bd) | (mask == "wrong"))
    if target is not None:
        M = M & (t == target)
    z, z_adv = h(torch.cat([x, x + d])).split(B)
    ce, ce_adv = F.cross_entropy(z, y), F.cross_entropy(z_adv, y)
    if target is not None:
        ce_adv = (F.cross_entropy(z_adv, y, reduction="none") * (y != target)).sum() / B
    p = z_adv.softmax(1)
    p_t = p.gather(1, t[:, None])[:, 0]
    others = (p * (1 - F.one_hot(t, p.shape[1]))).sum(1)
    first = -torch.log(1e-6 + others.clamp(max=0.999))
    second = -torch.log(1 + 1e-6 - p_t.clamp(min=0.001))
    l_sar = 0.5 * ((first * M).sum() + (second * M).sum()) / B
    loss = lambda1 * ce + lambda2 * l_sar if kind == "shared" else ce + ce_adv
    return dict(t=t, clean_bd=clean_bd, mask=M, ce=ce, ce_adv=ce_adv, l_sar=l_sar, loss=loss, p_t=p_t)
