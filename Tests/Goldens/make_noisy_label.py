"""Goldens of the noisy-label rules and of the meta-algorithm: ``noisy_label.safetensors`` and ``noisy_label.json``. The method is written out
in ``noisy_label.py``.

rules/logits, rules/labels     14 samples of 5 classes. Rows 3, 6, 9 and 11 are the same sample, so that a cut may fall among equals; row 5 is
                               confidently wrong, row 8 confidently right.
rules/<rule>/score             [14]
rules/<rule>/<eps>/rows, loss, grad_logits

Network: conv 3 -> 6 (3x3, padding 1, no bias), BatchNorm, ReLU, adaptive average pooling to 2x2, linear 24 -> 5, filled by the rule with phase offset OFFSET; then
linear.weight is multiplied by LINEAR_SCALE. Images 0.5 + 0.5 * pattern([12, 3, 8, 8], 0.5), labels (i + i div 5) % 5.
step/<case>/sign (int8, per-sample) or c (shared), images_sum [12]
step/<case>/outer_rows, outer_loss, grad/<key>, updated/<key>, buffer/<key>   after one AdamW step
head/...                       one step of algorithm 2 on the frozen features of the same network in eval mode
spectral/input, truncated, divided

The index has the settings of each case, the ramps of the drop rate, and the agreement with the same computation in float64.
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

from goldens import Book, fill, images, output_folder, pattern, write_json
from noisy_label import choose, divide, inner, rule_loss, score, truncate

LINEAR_SCALE, OFFSET = 3.0, 3.0
X, Y = images((12, 3, 8, 8), 0.5), (torch.arange(12) + torch.arange(12) // 5) % 5
book, out = Book(), output_folder()


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(6)
        self.linear = nn.Linear(24, 5)

    def features(self, x):
        return F.adaptive_avg_pool2d(F.relu(self.bn(self.conv(x))), 2).flatten(1)

    def forward(self, x):
        return self.linear(self.features(x))


def network(dtype=torch.float32):
    model = fill(Network(), OFFSET)
    with torch.no_grad():
        model.linear.weight.mul_(LINEAR_SCALE)
    return model.to(dtype)


def optimizer(parameters):
    return torch.optim.AdamW(parameters, lr=3e-4, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)


# Rules
logits, labels = pattern((14, 5), 0.4, 3.0), torch.tensor([0, 1, 2, 3, 4, 0, 3, 1, 2, 3, 0, 3, 4, 2])
for row in (6, 9, 11):
    logits[row] = logits[3]
logits[5] = torch.tensor([-20.0, 30.0, 0.0, 1.0, 2.0])
logits[8] = torch.tensor([0.0, 1.0, 25.0, 3.0, 2.0])
RATES = [0.0, 0.15, 0.25, 0.45, 0.5, 1.0]
book.add("rules", logits=logits, labels=labels)
for rule in ("spl", "prl", "bootstrap"):
    if rule != "bootstrap":
        book.add(f"rules/{rule}", score=score(rule, logits, labels))
    for eps in RATES:
        z = logits.clone().requires_grad_()
        loss, rows = rule_loss(rule, z, labels, eps=eps)
        (g,) = torch.autograd.grad(loss, z)
        book.add(f"rules/{rule}/{eps}", rows=rows, loss=loss, grad_logits=g)
for alpha in (0.3, 1.0):
    z = logits.clone().requires_grad_()
    loss, rows = rule_loss("bootstrap", z, labels, alpha=alpha)
    (g,) = torch.autograd.grad(loss, z)
    book.add(f"rules/bootstrap_alpha/{alpha}", loss=loss, grad_logits=g)
orders = [choose(rule, logits, labels, eps=0.0)[0].tolist() for rule in ("spl", "prl")]
assert orders[0] != orders[1], "the rules must differ somewhere"
tied = [i for i in orders[1] if i in (3, 6, 9, 11)]
cuts = {eps: len(choose("prl", logits, labels, eps=eps)[0]) for eps in RATES}
assert tied == [3, 6, 9, 11] and any(orders[1].index(3) < c <= orders[1].index(11) for c in cuts.values()), (orders, cuts)

# Steps
CASES = {
    "spl": dict(rule="spl"),
    "prl": dict(rule="prl"),
    "bootstrap": dict(rule="bootstrap"),
    "prl_eval": dict(rule="prl", mode="eval"),
    "prl_shared": dict(rule="prl", form="shared"),
    "prl_shared_kept": dict(rule="prl", form="shared", perturb_all=False),
    "prl_all": dict(rule="prl", perturb_all=True),
    "prl_tau": dict(rule="prl", tau=0.2, eps=0.5),
    "prl_inner": dict(rule="prl", variant="inner"),
    "prl_outer": dict(rule="prl", variant="outer"),
    "at": dict(rule="prl", variant="none"),
    "spl_plain": dict(rule="spl", tau=None),
    "prl_plain": dict(rule="prl", tau=None),
    "bootstrap_plain": dict(rule="bootstrap", tau=None),
}


def run(case, dtype, perturbed=None):
    variant, eps, tau = case.get("variant", "both"), case.get("eps", 0.25), case.get("tau", 0.05)
    f, x = network(dtype), X.to(dtype)
    inner_rule = case["rule"] if variant in ("both", "inner") else "every"
    outer_rule = case["rule"] if variant in ("both", "outer") else "every"
    found = None
    if tau is not None:
        f.train(case.get("mode", "train") == "train")
        found = inner(f, x, Y, inner_rule, tau=tau, form=case.get("form", "per-sample"), perturb_all=case.get("perturb_all"), eps=eps)
        x = found["images"] if perturbed is None else perturbed.to(dtype)
    f.train()
    step = optimizer(f.parameters())
    loss, rows = rule_loss(outer_rule, f(x), Y, eps=eps)
    loss.backward()
    grads = {k: p.grad.clone() for k, p in f.named_parameters()}
    step.step()
    return f, found, loss.detach(), rows, grads


index, sets = {}, {}
for name, case in CASES.items():
    f, found, loss, rows, grads = run(case, torch.float32)
    f64, found64, loss64, rows64, grads64 = run(case, torch.float64, None if found is None else found["images"])
    key, check = f"step/{name}", {}
    if found is not None:
        book.add(key, images_sum=found["images"].flatten(1).sum(1))
        if case.get("form") == "shared":
            book.add(key, c=found["c"])
        else:
            book.add(key, sign=found["c"].sign().to(torch.int8))
        check["signs"] = float((found["c"].sign() == found64["c"].sign()).float().mean())
        assert found["rows"].tolist() == found64["rows"].tolist(), name
        assert check["signs"] == 1, (name, check)
        assert found["c"].abs().max() <= case.get("tau", 0.05) + 1e-7
    assert rows.tolist() == rows64.tolist(), name
    book.add(key, outer_rows=rows, outer_loss=loss, **{f"grad__{k}": g for k, g in grads.items()},
             **{f"updated__{k}": p for k, p in f.named_parameters()}, **{f"buffer__{k}": b for k, b in f.named_buffers()})
    differences = [((p - q).abs().max()).item() for p, q in zip(f.double().parameters(), f64.parameters())]
    check |= {"loss": abs(loss.item() - loss64.item()), "updated": max(differences)}
    index[name] = {**case, "float64": check}
    sets[name] = (None if found is None else set(found["rows"].tolist()), set(rows.tolist()))
    print(f"  {name}: inner {None if found is None else found['rows'].tolist()} outer {rows.tolist()} {check}")

assert sets["spl"][0] != sets["prl"][0] and sets["prl"][0] != sets["prl"][1], "the rules and the two problems must choose differently"

# Algorithm 2: one step of the head, then its singular values.
f = network().eval()
features = f.features(X).detach()
step = optimizer(f.linear.parameters())
loss, rows = rule_loss("prl", f.linear(features), Y)
loss.backward()
step.step()
book.add("head", features=features, rows=rows, loss=loss, weight=f.linear.weight, bias=f.linear.bias,
         truncated=truncate(f.linear.weight.detach(), 1.0), divided=divide(f.linear.weight.detach(), 1.0))
i = torch.arange(5 * 24, dtype=torch.float64)
matrix = torch.sin(0.37 * i * i).float().view(5, 24) * torch.tensor([0.1, 0.3, 0.5, 1.0, 2.0]).view(5, 1)
s = torch.linalg.svdvals(matrix)
assert s[-1] < 1 < s[1], s
book.add("spectral", input=matrix, truncated=truncate(matrix, 1.0), divided=divide(matrix, 1.0), values=s)

ramps = [{"rate": r, "ramp": n, "rates": [float(v) for v in np.concatenate([np.linspace(0, r, n), [r, r]])]}
         for r, n in ((0.25, 0), (0.25, 1), (0.25, 2), (0.45, 10), (0.5, 4))]
book.write(out / "noisy_label.safetensors")
write_json(out / "noisy_label.json", {
    "linear_scale": LINEAR_SCALE, "phase_offset": OFFSET, "rates": RATES, "labels": Y.tolist(), "ramps": ramps, "cases": index,
})
