"""Threat models of adversarial training in plain PyTorch, without looking at Antidote: threats.safetensors, threats.json.

The network: pixels normalised with mean (.5, .4, .3) and deviation (.2, .3, .25); conv1 3->4 (3x3, padding 1), bn1, ReLU (stage 1); conv2
4->6 (3x3, padding 1, stride 2), bn2, ReLU (stage 2); global average; linear 6->4. Evaluation mode, filled by the rule, the linear layer's
weight times 10, so that the labels that follow are right for some images and wrong for others.

Everything is summed over the batch: an image's perturbation does not depend on its neighbours in the batch.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from goldens import Book, fill, images, output_folder, pattern, write_json

MEAN, DEVIATION = (0.5, 0.4, 0.3), (0.2, 0.3, 0.25)
LINEAR_SCALE = 10.0
SHAPE = (4, 3, 8, 8)


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.conv2, self.bn2 = nn.Conv2d(4, 6, 3, padding=1, stride=2), nn.BatchNorm2d(6)
        self.linear = nn.Linear(6, 4)

    def stages(self, x):
        x = (x - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(DEVIATION).view(1, 3, 1, 1)
        one = F.relu(self.bn1(self.conv1(x)))
        two = F.relu(self.bn2(self.conv2(one)))
        return [one, two]

    def forward(self, x):
        return self.linear(self.stages(x)[1].mean((2, 3)))


net = fill(Network()).eval()
with torch.no_grad():
    net.linear.weight.mul_(LINEAR_SCALE)
for p in net.parameters():
    p.requires_grad_(False)

x = images(SHAPE, 0.5)
y = torch.tensor([1, 0, 2, 3])
book, index = Book(), {}


# Losses ------------------------------------------------------------------------------------------------------------------------
def margin(z, y):
    """Largest other logit minus the label's, by a loop over rows."""
    return torch.stack([torch.cat([row[:k], row[k + 1:]]).max() - row[k] for row, k in zip(z, y.tolist())])


z = pattern((5, 4), 0.8, 3.0).requires_grad_()
labels = torch.tensor([0, 3, 1, 2, 1])
ce = F.cross_entropy(z, labels, reduction="none")
m = margin(z, labels)
book.add("loss", logits=z, labels=labels, ce=ce, margin=m,
         ce_grad=torch.autograd.grad(ce.sum(), z, retain_graph=True)[0], margin_grad=torch.autograd.grad(m.sum(), z)[0])
book.add("network", logits=net(x), stage1=net.stages(x)[0], stage2=net.stages(x)[1])


# PGD -----------------------------------------------------------------------------------------------------------------------------
def norm(v, p):
    return v.flatten(1).norm(p=p, dim=1).view(-1, 1, 1, 1)


def project(d, kind, r):
    if kind == "linf":
        return d.clamp(-r, r)
    n = norm(d, 2)
    return torch.where(n > r, d * r / n, d)


def pgd(x, y, kind, r, step, steps, d, loss="ce"):
    trace = []
    for _ in range(steps):
        d = d.detach().requires_grad_()
        z = net(x + d)
        value = (F.cross_entropy(z, y, reduction="none") if loss == "ce" else margin(z, y)).sum()
        (g,) = torch.autograd.grad(value, d)
        direction = g.sign() if kind == "linf" else g / norm(g, 2)
        d = project(d.detach() + step * direction, kind, r)
        d = (x + d).clamp(0, 1) - x
        trace.append(x + d)
    return trace


for kind, r, steps in (("linf", 8 / 255, 4), ("l2", 0.6, 4)):
    trace = pgd(x, y, kind, r, r / 4, steps, torch.zeros_like(x))
    book.add(f"pgd_{kind}", **{f"step{i + 1}": t for i, t in enumerate(trace)})
    index[f"pgd_{kind}"] = {"radius": r, "step": r / 4, "steps": steps}


def project_l1(d, r):
    """What every size loses, by halving, image by image."""
    rows = []
    for row in d.double():
        size = row.abs()
        if size.sum() > r:
            low, high = torch.zeros(()).double(), size.max()
            for _ in range(100):
                middle = (low + high) / 2
                low, high = (middle, high) if (size - middle).clamp(min=0).sum() > r else (low, middle)
            row = row.sign() * (size - high).clamp(min=0)
        rows.append(row.float())
    return torch.stack(rows)


def pgd_l1(x, y, r, step, share, steps):
    d, trace = torch.zeros_like(x), []
    count = int(share * x[0].numel())
    for _ in range(steps):
        d = d.detach().requires_grad_()
        (g,) = torch.autograd.grad(F.cross_entropy(net(x + d), y, reduction="sum"), d)
        moved = d.detach().clone()
        for row in range(len(x)):
            for at in g[row].abs().flatten().argsort(descending=True)[:count]:
                moved[row].view(-1)[at] += step / count * g[row].flatten()[at].sign()
        d = (x + project_l1(moved, r)).clamp(0, 1) - x
        trace.append(x + d)
    return trace


l1 = {"radius": 4.0, "step": 1.6, "share": 0.05, "steps": 4}
book.add("pgd_l1", **{f"step{i + 1}": t for i, t in enumerate(pgd_l1(x, y, l1["radius"], l1["step"], l1["share"], l1["steps"]))})
index["pgd_l1"] = l1
fgsm = pgd(x, y, "linf", 0.05, 0.05, 1, torch.zeros_like(x))[-1]
book.add("fgsm", result=fgsm)
index["fgsm"] = {"radius": 0.05}


# stAdv -----------------------------------------------------------------------------------------------------------------------------
def warp(x, flow):
    """Bilinear sampling with zeros outside, pixel by pixel; pixel i has its centre at -1 + (2 i + 1) / size."""
    n, c, h, w = x.shape
    ys = (torch.arange(h) + 0.5) * 2 / h - 1
    xs = (torch.arange(w) + 0.5) * 2 / w - 1
    px = ((xs.view(1, 1, w) + flow[..., 0] + 1) * w - 1) / 2
    py = ((ys.view(1, h, 1) + flow[..., 1] + 1) * h - 1) / 2
    x0, y0 = px.floor().detach(), py.floor().detach()
    out = 0
    for dy in (0, 1):
        for dx in (0, 1):
            cx, cy = x0 + dx, y0 + dy
            weight = (1 - (px - cx).abs()) * (1 - (py - cy).abs())
            inside = (cx >= 0) & (cx < w) & (cy >= 0) & (cy < h)
            at = (cy.clamp(0, h - 1) * w + cx.clamp(0, w - 1)).long()
            values = x.flatten(2).gather(2, at.view(n, 1, -1).expand(n, c, -1)).view(n, c, h, w)
            out = out + values * (weight * inside).unsqueeze(1)
    return out


def roughness(flow):
    """Over all pixels and their up to four neighbours."""
    n, h, w, _ = flow.shape
    total = torch.zeros(n)
    for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        here = flow[:, max(0, -dy):h - max(0, dy), max(0, -dx):w - max(0, dx)]
        there = flow[:, max(0, dy):h - max(0, -dy), max(0, dx):w - max(0, -dx)]
        total = total + ((here - there).square().sum(3) + 1e-10).sqrt().sum((1, 2))
    return total


flow = pattern((4, 8, 8, 2), 0.2, 0.3).requires_grad_()
warped = warp(x, flow)
check = F.grid_sample(x, F.affine_grid(torch.eye(2, 3).expand(4, 2, 3), SHAPE, align_corners=False) + flow, align_corners=False)
assert (warped - check).abs().max() < 1e-5
rough = roughness(flow)
seed = pattern(warped.shape, 0.3)
book.add("flow", warped=warped, warped_grad=torch.autograd.grad((warped * seed).sum(), flow)[0], roughness=rough,
         roughness_grad=torch.autograd.grad(rough.sum(), flow)[0])
index["flow"] = {"phase": 0.2, "scale": 0.3}


def sampled(x, flow):
    """PyTorch's own warp: without a flow, samples lie on the kinks of the bilinear weights, and rounding decides to which side they slope."""
    return F.grid_sample(x, F.affine_grid(torch.eye(2, 3).expand(len(x), 2, 3), x.shape, align_corners=False) + flow, align_corners=False)


def stadv(x, y, bound, steps, rate, tau, flow, warp=warp):
    """Adam by hand: b1 .9, b2 .999, eps 1e-8."""
    first, second, trace = torch.zeros_like(flow), torch.zeros_like(flow), []
    for t in range(1, steps + 1):
        f = flow.clamp(-bound, bound).detach().requires_grad_()
        z = net(warp(x, f))
        loss = (-margin(z, y) + tau / bound * roughness(f)).sum()
        (g,) = torch.autograd.grad(loss, f)
        first = 0.9 * first + 0.1 * g
        second = 0.999 * second + 0.001 * g * g
        flow = f.detach() - rate * (first / (1 - 0.9**t)) / ((second / (1 - 0.999**t)).sqrt() + 1e-8)
        trace.append(flow.clamp(-bound, bound))
    return trace


# From a flow away from zero: at zero the roughness has no slope, and Adam's first step would be the sign of whatever rounding leaves.
start = pattern((4, 8, 8, 2), 0.9, 0.02)
spatial = {"bound": 0.1, "rate": 0.03, "smoothness": 0.0025, "steps": 3}
trace = stadv(x, y, 0.1, 3, 0.03, 0.0025, start)
book.add("stadv", **{f"flow{i + 1}": f for i, f in enumerate(trace)}, image=warp(x, trace[-1]))
index["stadv"] = {**spatial, "start_phase": 0.9, "start_scale": 0.02}
book.add("stadv_zero", image=warp(x, stadv(x, y, 0.1, 3, 0.03, 0.0025, torch.zeros_like(start), sampled)[-1]))


# Perceptual --------------------------------------------------------------------------------------------------------------------------
def phi(x):
    parts = []
    for a in net.stages(x):
        n, c, h, w = a.shape
        length = a.norm(dim=1, keepdim=True)
        parts.append((a / (length + 1e-10) / (h * w) ** 0.5).flatten(1))
    return torch.cat(parts, 1)


def lagrange(x, y, bound, steps, d):
    trace, origin = [], phi(x)
    for t in range(steps):
        d = d.detach().requires_grad_()
        here = phi(x + d)
        distance = (here - origin).norm(dim=1)
        lam = 10 * 0.1 ** (1 - t / steps)
        loss = (-margin(net(x + d), y) + lam * F.relu(distance - bound)).sum()
        (g,) = torch.autograd.grad(loss, d)
        unit = g / (norm(g, 2) + 1e-8)
        slope = (here - phi(x + d - 0.1 * unit)).norm(dim=1) / 0.1
        length = bound * 0.1 ** (t / steps) / (slope + 1e-8)
        d = (x + d.detach() - unit * length.view(-1, 1, 1, 1)).clamp(0, 1) - x
        d = d.detach()
        trace.append(x + d)
    return trace


other = images(SHAPE, 0.7).requires_grad_()
distance = (phi(other) - phi(x)).norm(dim=1)
book.add("perceptual", distance=distance, distance_grad=torch.autograd.grad(distance.sum(), other)[0])
noise = pattern(SHAPE, 1.3, 0.02)
for bound in (0.05, 0.4):
    trace = lagrange(x, y, bound, 3, noise)
    key = f"lagrange_{bound}"
    book.add(key, **{f"step{i + 1}": t for i, t in enumerate(trace)})
    index[key] = {"bound": bound, "steps": 3, "start_phase": 1.3, "start_scale": 0.02}

# Composite: the second threat starts from what the first one made ---------------------------------------------------------------------
one = warp(x, stadv(x, y, 0.1, 3, 0.03, 0.0025, torch.zeros_like(start), sampled)[-1]).clamp(0, 1).detach()
book.add("composite", forward=pgd(one, y, "linf", 8 / 255, 2 / 255, 3, torch.zeros_like(x))[-1])
two = pgd(x, y, "linf", 8 / 255, 2 / 255, 3, torch.zeros_like(x))[-1].detach()
book.add("composite", reverse=warp(two, stadv(two, y, 0.1, 3, 0.03, 0.0025, torch.zeros_like(start), sampled)[-1]))
index["composite"] = {"linf": {"radius": 8 / 255, "step": 2 / 255, "steps": 3}, "spatial": spatial}


def jointly(x, y, r, step, bound, rate, tau, steps):
    """Warp, then add: both variables from one gradient of the margin (minus the roughness)."""
    d, flow = torch.zeros_like(x), torch.zeros_like(start)
    first, second = torch.zeros_like(flow), torch.zeros_like(flow)
    for t in range(1, steps + 1):
        d, f = d.detach().requires_grad_(), flow.detach().requires_grad_()
        base = sampled(x, f)
        objective = (margin(net(base + d), y) - tau / bound * roughness(f)).sum()
        gd, gf = torch.autograd.grad(objective, [d, f])
        d = (d.detach() + step * gd.sign()).clamp(-r, r)
        d = (base.detach() + d).clamp(0, 1) - base.detach()
        first, second = 0.9 * first - 0.1 * gf, 0.999 * second + 0.001 * gf * gf
        flow = f.detach() - rate * (first / (1 - 0.9**t)) / ((second / (1 - 0.999**t)).sqrt() + 1e-8)
        flow = flow.clamp(-bound, bound)
    return (warp(x, flow) + d).clamp(0, 1)


book.add("composite", joint=jointly(x, y, 8 / 255, 2 / 255, 0.1, 0.03, 0.0025, 3))



def perceptually(x, y, r, step, bound, steps):
    """An L_inf ball around the image and a perceptual one around what that makes of it, both from nothing, from one gradient; the
    perceptual schedule goes by the steps that both take."""
    d, e = torch.zeros_like(x), torch.zeros_like(x)
    for t in range(steps):
        d, e = d.detach().requires_grad_(), e.detach().requires_grad_()
        base = x + d
        here = phi(base + e)
        distance = (here - phi(base).detach()).norm(dim=1)
        lam = 10 * 0.1 ** (1 - t / steps)
        gd, ge = torch.autograd.grad((margin(net(base + e), y) - lam * F.relu(distance - bound)).sum(), [d, e])
        base = base.detach()
        unit = ge / (norm(ge, 2) + 1e-8)
        slope = (here.detach() - phi(base + e.detach() + 0.1 * unit)).norm(dim=1) / 0.1
        length = bound * 0.1 ** (t / steps) / (slope + 1e-8)
        e = (base + e.detach() + unit * length.view(-1, 1, 1, 1)).clamp(0, 1) - base
        d = (x + (d.detach() + step * gd.sign()).clamp(-r, r)).clamp(0, 1) - x
    return ((x + d).clamp(0, 1) + e).clamp(0, 1)


joint = {"radius": 0.02, "step": 0.01, "linf_steps": 2, "bound": 0.05, "perceptual_steps": 4}
book.add("composite_perceptual", joint=perceptually(x, y, 0.02, 0.01, 0.05, 4))
index["composite_perceptual"] = joint

print({"margins": margin(net(x), y).tolist(), "logits": net(x)[0].tolist()})
for name in ("pgd_linf/step4", "pgd_l2/step4", "stadv/image", "stadv_zero/image", "lagrange_0.05/step3", "lagrange_0.4/step3", "composite/forward", "composite/joint"):
    print(name, [round(v, 3) for v in margin(net(book.tensors[name]), y).tolist()])
out = output_folder()
book.write(out / "threats.safetensors")
write_json(out / "threats.json", {
    "network": {"mean": list(MEAN), "deviation": list(DEVIATION), "linear_scale": LINEAR_SCALE},
    "images": {"shape": list(SHAPE), "phase": 0.5}, "labels": y.tolist(), "cases": index,
})
