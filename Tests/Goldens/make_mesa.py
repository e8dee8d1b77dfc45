"""Goldens of MESA: ``mesa.safetensors``. Independent of Antidote: torch.autograd, networks written here.

Network: PreActResNet18 of width 4 with 10 classes, filled by the rule with phase offset 3.8, evaluation mode; x = images([6, 3, 16, 16],
0.5), rounded to whole 255ths. Two steps of a staircase, n = 0 (class 7, threshold .5) and 1 (class 2, threshold .9): generators 5-8-8-27 and
statistics networks 32-8-8-1 with ReLU, one module each, filled with phase offset .4 + n. Noise |pattern([6, 5], .2 + n)|, independent noise
|pattern([6, 5], .7 + n)|; the 3x3 triggers begin at row (3 i + n) mod 14 and column (5 i + 2 n) mod 14 of image i. alpha = .3.

    information   MINE's bound of each; hinges: mean of max(0, threshold - p)
    total         the sum of hinge - alpha information; norms: of its gradients at all parameters, step after step
    stamped       the images with the triggers of the first step
"""

import torch
import torch.nn.functional as F
from torch import nn

from architectures import PreActResNet18
from goldens import Book, fill, images, output_folder, pattern

book = Book()
x = (images((6, 3, 16, 16), 0.5) * 255).round().clamp(0, 255) / 255
model = fill(PreActResNet18(width=4), 3.8).eval()


class Step(nn.Module):
    def __init__(self):
        super().__init__()
        self.generator = nn.ModuleList([nn.Linear(5, 8), nn.Linear(8, 8), nn.Linear(8, 27)])
        self.statistics = nn.ModuleList([nn.Linear(32, 8), nn.Linear(8, 8), nn.Linear(8, 1)])

    @staticmethod
    def through(layers, x):
        return layers[2](layers[1](layers[0](x).relu()).relu())


total, parameters, bounds, hinges = 0, [], [], []
for n, (label, threshold) in enumerate(((7, 0.5), (2, 0.9))):
    step = fill(Step(), 0.4 + n)
    z, other = pattern((6, 5), 0.2 + n).abs(), pattern((6, 5), 0.7 + n).abs()
    triggers = torch.sigmoid(step.through(step.generator, z))
    stamped = []
    for i in range(6):
        image = x[i].clone()
        r, c = (3 * i + n) % 14, (5 * i + 2 * n) % 14
        image[:, r : r + 3, c : c + 3] = triggers[i].view(3, 3, 3)
        stamped.append(image)
    stamped = torch.stack(stamped)
    p = F.softmax(model(stamped), 1)[:, label]
    joint = step.through(step.statistics, torch.cat([triggers, z], 1)).mean()
    apart = torch.log(torch.exp(step.through(step.statistics, torch.cat([triggers, other], 1)).double()).mean())
    bounds.append(joint - apart.float())
    hinges.append(torch.clamp(threshold - p, min=0).mean())
    total = total + hinges[-1] - 0.3 * bounds[-1]
    parameters += list(step.parameters())
    if n == 0:
        book.add("mesa", stamped=stamped)
norms = torch.stack([g.norm() for g in torch.autograd.grad(total, parameters)])
book.add("mesa", information=torch.stack(bounds), hinges=torch.stack(hinges), total=total, norms=norms)
book.write(output_folder() / "mesa.safetensors")
