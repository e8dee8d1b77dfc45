"""Goldens of the adaptive attacks: ``adaptive_attacks.safetensors``, with settings in ``adaptive_attacks.json``.

Independent of Antidote: torch.autograd and torch.optim alone.

Network: PreActResNet18 of width 4, 10 classes, filled with phase offset 3.8; tensors of two or more dimensions times 0.7, linear.weight
times 8 in its place (as in make_sau.py). Evaluation mode, float32.

Gradient matching (sleeper-agent): S = images([6, 3, 16, 16], 0.2) are the triggered sources, all to be class 3; P = images([4, 3, 16, 16],
0.5) the poisons of class 3, d = pattern(P, 0.9, 0.05) their change.
    matching/loss, matching/grad   1 - cos over all parameters together, and its gradient at d
    matching/norms                 [4], 2-norm of the gradient of CE(f(P_i), 3) at all parameters, one sample at a time; P rounded to 1/255
    craft/change                   d after 3 steps of Adam(.025) on the sign of the gradient, each followed by clamping d to +-bound and
                                   P + d to [0, 1]; bound 16/255; d starts there too; of the marks 3/8, 5/8 and 7/8 of 3 steps, the third
                                   step (index 2) has passed two, the others none: rates 1, 1 and .01 of the first

Clustered trigger (equation 4 of DBD): features = pattern([5, 8], 0.4), centers = pattern([3, 8], 1.3)
    cluster/value, cluster/grad    and its gradient at the features
    trigger/value, trigger/grad    the same through the network for images([4, 3, 16, 16], 0.5) + t clipped, t = pattern([1, 3, 16, 16],
                                   0.9, 0.3), centers = pattern([3, 32], 1.3); gradient at t
"""

import torch
import torch.nn.functional as F

from architectures import PreActResNet18
from goldens import Book, fill, images, output_folder, pattern, write_json

book = Book()
BOUND, RATE = 16 / 255, 0.025


def network():
    model = fill(PreActResNet18(width=4), 3.8).eval()
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.dim() >= 2:
                p.mul_(8.0 if name == "linear.weight" else 0.7)
    return model


model = network()
weights = list(model.parameters())
sources, poisons = images((6, 3, 16, 16), 0.2), images((4, 3, 16, 16), 0.5)


def labels(x):
    return torch.full((len(x),), 3)


wanted = torch.autograd.grad(F.cross_entropy(model(sources), labels(sources)), weights)
wanted = torch.cat([g.flatten() for g in wanted])


def mismatch(change):
    found = torch.autograd.grad(F.cross_entropy(model(poisons + change), labels(poisons)), weights, create_graph=True)
    found = torch.cat([g.flatten() for g in found])
    return 1 - F.cosine_similarity(found, wanted, dim=0)


d = pattern(poisons.shape, 0.9, 0.05).requires_grad_()
loss = mismatch(d)
(grad,) = torch.autograd.grad(loss, d)
norms = [
    torch.cat([g.flatten() for g in torch.autograd.grad(F.cross_entropy(model(x[None]), torch.tensor([3])), weights)]).norm()
    for x in (poisons * 255).round() / 255
]
book.add("matching", loss=loss, grad=grad, norms=torch.stack(norms))


def project(change):
    change = change.clamp(-BOUND, BOUND)
    return (poisons + change).clamp(0, 1) - poisons


change = project(pattern(poisons.shape, 0.9, 0.05)).requires_grad_()
optimizer = torch.optim.Adam([change], lr=RATE)
for step in range(3):
    optimizer.param_groups[0]["lr"] = RATE * (1, 1, 0.01)[step]
    change.grad = torch.autograd.grad(mismatch(change), change)[0].sign()
    optimizer.step()
    with torch.no_grad():
        change.copy_(project(change))
book.add("craft", change=change)


def equation_4(features, centers):
    center = features.mean(0)
    within = torch.stack([(row - center).norm() for row in features]).mean()
    between = torch.stack([(center - row).norm() for row in centers]).mean()
    return within - between


features, centers = pattern((5, 8), 0.4).requires_grad_(), pattern((3, 8), 1.3)
value = equation_4(features, centers)
(grad,) = torch.autograd.grad(value, features)
book.add("cluster", value=value, grad=grad)

t = pattern((1, 3, 16, 16), 0.9, 0.3).requires_grad_()
value = equation_4(model.features((poisons + t).clamp(0, 1)), pattern((3, 32), 1.3))
(grad,) = torch.autograd.grad(value, t)
book.add("trigger", value=value, grad=grad)

folder = output_folder()
book.write(folder / "adaptive_attacks.safetensors")
write_json(folder / "adaptive_attacks.json", {"bound": BOUND, "learning_rate": RATE, "label": 3})
