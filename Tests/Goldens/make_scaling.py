"""Goldens of IBD-PSC's scaled layers (Hou et al., ICML 2024): ``scaling.json``.

Network and images as in ``make_audit.py``: PreActResNet18 of width 4, phase offset 3.8, the weights of its layers times 0.7 and
of its last layer times 8; 24 images 0.5 + 0.5 * pattern([24, 3, 16, 16], 0.5), rounded to whole 255ths. The labels are its
predictions. Weight and bias of the last BatchNorm layers, in the order of ``modules()``, times 1.5.

    labels              predictions on the images
    errors              share of wrong answers with 1, 2, ... scaled layers; all but the first layer at most
    first               the smallest number of layers with an error above .7
    scores              of each image, the mean over 3 models of the probability of its label, with first + 1 to first + 3 layers
"""

import copy

import torch

from architectures import PreActResNet18
from goldens import fill, images, output_folder, write_json

net = fill(PreActResNet18(width=4), 3.8).eval()
with torch.no_grad():
    for name, p in net.named_parameters():
        if p.dim() >= 2:
            p.mul_(8 if name == "linear.weight" else 0.7)
X = (images((24, 3, 16, 16), 0.5) * 255).round().clamp(0, 255) / 255


@torch.no_grad()
def probabilities(count):
    other = copy.deepcopy(net)
    layers = [m for m in other.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    for layer in layers[len(layers) - count :]:
        layer.weight.mul_(1.5)
        layer.bias.mul_(1.5)
    return other(X).softmax(1), len(layers)


p, total = probabilities(0)
labels = p.argmax(1)
errors = [(probabilities(n)[0].argmax(1) != labels).double().mean().item() for n in range(1, total)]
first = next(n for n, e in enumerate(errors, 1) if e > 0.7)
rows = [probabilities(first + i)[0][torch.arange(24), labels].double() for i in (1, 2, 3)]
write_json(
    output_folder() / "scaling.json",
    {"labels": labels.tolist(), "errors": errors, "first": first, "scores": (sum(rows) / 3).tolist()},
)
