"""Goldens of gradients of gradients and small linear algebra: ``gradients.safetensors``, ``gradients.json``.

double_backward_{relu,softplus,tanh}: a net with keys conv1 (3 -> 4, 3x3, padding 1), conv2 (4 -> 4, 3x3,
stride 2, padding 1), linear (4 -> 1), filled by the rule; forward = linear(mean_hw(act(conv2(act(conv1(x)))))),
x = pattern([2, 3, 6, 6], 0.5). With G = d sum(output) / dx (``grad_x``), ``penalty`` = sum(G^2) over everything and
``grad/<key>`` = d penalty / d parameter (zero where there is no dependence), ``grad/x`` = d penalty / dx.
``wgan_penalty`` = mean over samples of (||G_i||_2 - 1)^2, with ``wgan_grad/<key>``.

hessian_vector: H v for the softplus net, loss = mean(output^2), H over all parameters, v_k = pattern(shape_k, 0.1 * k)
with k counting state_dict tensors: ``hv/<key>``.

clip_{l2,l2_loose}: gradients 3 * pattern(shape, k) of shapes [3, 4] and [5]; ``total_norm`` and ``grad{k}``.
ema: start pattern([4, 3], 0); value after update s = 0, 1, 2 of  e <- 0.9 e + 0.1 pattern([4, 3], 1 + s): ``step{s}``.
svd_pattern: W = 2 * pattern([6, 4], 0.2) (rank 2);  svd_full_rank: W = pattern([6, 4], 0.2) + 1.2 * eye(6, 4);
``s`` (descending), ``truncated`` = U min(S, 1) V^T, ``spectral`` = W / s_max.
"""

import torch
import torch.nn.functional as F
from torch import nn

from goldens import Book, fill, output_folder, pattern, write_json

book = Book()


class Net(nn.Module):
    def __init__(self, act):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, padding=1)
        self.conv2 = nn.Conv2d(4, 4, 3, stride=2, padding=1)
        self.linear = nn.Linear(4, 1)
        self.act = act

    def forward(self, x):
        return self.linear(self.act(self.conv2(self.act(self.conv1(x)))).mean((2, 3)))


def add_grads(case, prefix, names, loss, tensors):
    grads = torch.autograd.grad(loss, tensors, retain_graph=True, allow_unused=True)
    for name, t, g in zip(names, tensors, grads):
        book.add(case, **{f"{prefix}__{name}": torch.zeros_like(t) if g is None else g})


for act_name, act in (("relu", F.relu), ("softplus", F.softplus), ("tanh", torch.tanh)):
    net = fill(Net(act))
    x = pattern((2, 3, 6, 6), 0.5).requires_grad_()
    names, params = zip(*net.named_parameters())
    y = net(x)
    (G,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    case = f"double_backward_{act_name}"
    penalty = G.square().sum()
    wgan = (G.flatten(1).norm(dim=1) - 1).square().mean()
    book.add(case, output=y, grad_x=G, penalty=penalty, wgan_penalty=wgan)
    add_grads(case, "grad", (*names, "x"), penalty, (*params, x))
    add_grads(case, "wgan_grad", names, wgan, params)

net = fill(Net(F.softplus))
names, params = zip(*net.named_parameters())
first = torch.autograd.grad(net(pattern((2, 3, 6, 6), 0.5)).square().mean(), params, create_graph=True)
product = sum((g * pattern(g.shape, 0.1 * k)).sum() for k, g in enumerate(first))
add_grads("hessian_vector", "hv", names, product, params)

for case, limit in (("clip_l2", 1.0), ("clip_l2_loose", 100.0)):
    params = [nn.Parameter(torch.zeros(s)) for s in ((3, 4), (5,))]
    for k, p in enumerate(params):
        p.grad = pattern(p.shape, k, 3.0)
    total = nn.utils.clip_grad_norm_(params, limit)
    book.add(case, total_norm=total, **{f"grad{k}": p.grad for k, p in enumerate(params)})

ema = pattern((4, 3), 0)
for step in range(3):
    ema = 0.9 * ema + 0.1 * pattern((4, 3), 1 + step)
    book.add("ema", **{f"step{step}": ema})

for case, W in (("svd_pattern", pattern((6, 4), 0.2, 2.0)), ("svd_full_rank", pattern((6, 4), 0.2) + 1.2 * torch.eye(6, 4))):
    U, s, Vh = torch.linalg.svd(W, full_matrices=False)
    book.add(case, s=s, truncated=U @ torch.diag(s.clamp(max=1.0)) @ Vh, spectral=W / s[0])

out = output_folder()
book.write(out / "gradients.safetensors")
write_json(out / "gradients.json", {
    "double_backward": {"input": {"shape": [2, 3, 6, 6], "phase": 0.5}, "activations": ["relu", "softplus", "tanh"], "parameters": list(names)},
    "clip": {"shapes": [[3, 4], [5]], "gradient_scale": 3.0, "cases": {"clip_l2": {"max_norm": 1.0}, "clip_l2_loose": {"max_norm": 100.0}}},
    "ema": {"shape": [4, 3], "decay": 0.9, "updates": 3},
    "svd": {"shape": [6, 4], "truncate_at": 1.0},
})
