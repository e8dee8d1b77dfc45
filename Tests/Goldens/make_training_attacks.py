"""Goldens of the attacks that train the model: ``training_attacks.safetensors``. One step each.

Independent of Antidote: torch.autograd and networks written here from the papers' descriptions.

Classifier: PreActResNet18 of width 4, 10 classes, filled with phase offset 3.8; tensors of two or more dimensions times 0.7, linear.weight
times 8 in its place (as in make_adaptive_attacks.py). Training mode, float32. x = images([6, 3, 16, 16], 0.2), labels 1 4 0 9 8 2,
target of y: y + 3 mod 10. ``norms``: the 2-norms of the gradients at all parameters, in the order of ``parameters()``.

wanet/      images 0-1 poisoned, 2-4 noisy; field from pattern([1, 2, 3, 3], 0.2), s = 1.5, shifts pattern([3, 16, 16, 2], 0.7), noise 2
            stamped, loss, norms
mask/       Input-Aware's mask network, width 2, 2 levels, mean and deviation of the pixels .4 .5 .6 and .2 .25 .3, the other tensors
            filled with phase offset 1.1; the others are images([6, 3, 16, 16], 0.9); density .4, its weight 7, diversity 1.5
            own (the masks of x), loss, norms
joint/      images 0-2 poisoned, 3-4 with the triggers of the others; the pattern network filled with phase offset 2.3, the mask network as
            above in evaluation mode; diversity 1.5
            stamped (images 0-4), loss, norms, pattern_norms
lira_<n>/   n = unet (width 2) or autoencoder (width 2), filled with phase offset 0.6; bound .1, alpha .3, four of the six images triggered
            triggered (evaluation mode), search (loss), search_norms (at the network), clean, poisoned (losses, network in evaluation
            mode), norms (of the mixed loss at the classifier)
lira_<n>_joint/   the same, all ten images in one pass of the classifier
blind/      four of the six images triggered at row 2, column 7; "loss+"
            main, backdoor (losses), weight (of main, by a search over 100,001 values), norms (of the mixed loss)
blind_joint/   the same, all ten images in one pass
embedding/  images 0-1 with white pixels in rows and columns 13-15; a discriminator of widths 8 and 4 filled with phase offset 0.9 reads
            the penultimate features plus .5 pattern([6, 32], 1.7); lambda 1.5
            told (its loss), told_norms (at the discriminator), loss (of the model), norms
"""

import torch
import torch.nn.functional as F
from torch import nn

from architectures import PreActResNet18
from goldens import Book, fill, images, output_folder, pattern

book = Book()
x, others = images((6, 3, 16, 16), 0.2), images((6, 3, 16, 16), 0.9)
labels = torch.tensor([1, 4, 0, 9, 8, 2])
targets = (labels + 3) % 10


def classifier():
    model = fill(PreActResNet18(width=4), 3.8).train()
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.dim() >= 2:
                p.mul_(8.0 if name == "linear.weight" else 0.7)
    return model


def slopes(loss, module):
    return torch.autograd.grad(loss, list(module.parameters()), retain_graph=True)


def norms(loss, module):
    return torch.stack([g.norm() for g in slopes(loss, module)])


# WaNet
model = classifier()
field = pattern((1, 2, 3, 3), 0.2)
field = F.interpolate(field / field.abs().mean(), size=(16, 16), mode="bicubic", align_corners=True)[0]
axis = torch.linspace(-1, 1, 16)
identity = torch.stack([axis[None, :].expand(16, 16), axis[:, None].expand(16, 16)], 2)
grid = (identity + field.permute(1, 2, 0) * 1.5 / 16).clamp(-1, 1)
noisy = (grid[None] + pattern((3, 16, 16, 2), 0.7) * 2 / 16).clamp(-1, 1)
stamped = torch.cat(
    [
        F.grid_sample(x[:2], grid[None].expand(2, -1, -1, -1), align_corners=True),
        F.grid_sample(x[2:5], noisy, align_corners=True),
        x[5:],
    ]
)
loss = F.cross_entropy(model(stamped), torch.cat([targets[:2], labels[2:]]))
book.add("wanet", stamped=stamped, loss=loss, norms=norms(loss, model))


# Input-Aware
class Block(nn.Module):
    def __init__(self, a, b, relu=True):
        super().__init__()
        self.conv = nn.Conv2d(a, b, 3, padding=1)
        self.norm = nn.BatchNorm2d(b, momentum=0.05)
        self.relu = relu

    def forward(self, x):
        x = self.norm(self.conv(x))
        return x.relu() if self.relu else x


class TriggerGenerator(nn.Module):
    def __init__(self, outputs, w=2):
        super().__init__()
        self.down = nn.ModuleList([Block(3, w), Block(w, w), Block(w, 2 * w), Block(2 * w, 2 * w)])
        self.middle = Block(2 * w, 2 * w)
        self.up = nn.ModuleList([Block(2 * w, 2 * w), Block(2 * w, w), Block(w, w), Block(w, outputs, relu=False)])

    def forward(self, x):
        x = (x - torch.tensor([0.4, 0.5, 0.6]).view(1, 3, 1, 1)) / torch.tensor([0.2, 0.25, 0.3]).view(1, 3, 1, 1)
        for level in range(2):
            x = F.max_pool2d(self.down[2 * level + 1](self.down[2 * level](x)), 2)
        x = self.middle(x)
        for level in range(2):
            x = F.interpolate(x, scale_factor=2, mode="bilinear")
            x = self.up[2 * level + 1](self.up[2 * level](x))
        return torch.tanh(x) / (2 + 1e-7) + 0.5


def threshold(z):
    return torch.tanh(20 * z - 10) / (2 + 1e-7) + 0.5


def apart(a, b, scaled=True):
    d = (a - b) / torch.tensor([0.2, 0.25, 0.3]).view(1, 3, 1, 1) if scaled else a - b
    return torch.stack([(row**2).mean().sqrt() for row in d])


mask = fill(TriggerGenerator(1), 1.1).train()
own = threshold(mask(x))
other = threshold(mask(others))
diversity = (apart(x, others) / (apart(own, other, scaled=False) + 1e-7)).mean()
loss = 7 * F.relu(own - 0.4).mean() + 1.5 * diversity
book.add("mask", own=own, loss=loss, norms=norms(loss, mask))

model, mask, net = classifier(), fill(TriggerGenerator(1), 1.1).eval(), fill(TriggerGenerator(3), 2.3).train()
p1 = net(x[:3])
p2 = net(others[3:5])
m1, m2 = threshold(mask(x[:3])), threshold(mask(others[3:5]))
stamped = torch.cat([x[:3] * (1 - m1) + p1 * m1, x[3:5] * (1 - m2) + p2 * m2])
diversity = (apart(x[:2], others[3:5]) / (apart(p1[:2], p2) + 1e-7)).mean()
loss = F.cross_entropy(model(torch.cat([stamped, x[5:]])), torch.cat([targets[:3], labels[3:]])) + 1.5 * diversity
book.add("joint", stamped=stamped, loss=loss, norms=norms(loss, model), pattern_norms=norms(loss, net))


# LIRA
class Double(nn.Module):
    def __init__(self, a, b):
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b)
        self.conv2, self.norm2 = nn.Conv2d(b, b, 3, padding=1), nn.BatchNorm2d(b)

    def forward(self, x):
        return self.norm2(self.conv2(self.norm1(self.conv1(x)).relu())).relu()


class UNet(nn.Module):
    def __init__(self, w=2):
        super().__init__()
        self.down = nn.ModuleList([Double(3, w), Double(w, 2 * w), Double(2 * w, 4 * w), Double(4 * w, 8 * w)])
        self.up = nn.ModuleList([Double(12 * w, 4 * w), Double(6 * w, 2 * w), Double(3 * w, w)])
        self.last = nn.Conv2d(w, 3, 1)
        self.last_norm = nn.BatchNorm2d(3)

    def forward(self, x):
        a = self.down[0](x)
        b = self.down[1](F.max_pool2d(a, 2))
        c = self.down[2](F.max_pool2d(b, 2))
        y = self.down[3](F.max_pool2d(c, 2))
        for block, beside in zip(self.up, (c, b, a)):
            y = F.interpolate(y, scale_factor=2, mode="bilinear", align_corners=True)
            y = block(torch.cat([y, beside], 1))
        return torch.tanh(self.last_norm(self.last(y)))


class Autoencoder(nn.Module):
    def __init__(self, w=2):
        super().__init__()
        sizes = [3, w, 2 * w, 4 * w, 8 * w]
        self.encoder = nn.ModuleList([nn.Conv2d(a, b, 4, 2, 1) for a, b in zip(sizes, sizes[1:])])
        self.encoder_norms = nn.ModuleList([nn.BatchNorm2d(b) for b in sizes[1:]])
        sizes = sizes[::-1]
        self.decoder = nn.ModuleList([nn.ConvTranspose2d(a, b, 4, 2, 1) for a, b in zip(sizes, sizes[1:])])
        self.decoder_norms = nn.ModuleList([nn.BatchNorm2d(b) for b in sizes[1:-1]])

    def forward(self, x):
        for n in range(4):
            x = self.encoder_norms[n](self.encoder[n](x)).relu()
        for n in range(3):
            x = self.decoder_norms[n](self.decoder[n](x)).relu()
        return torch.tanh(self.decoder[3](x))


for name, kind in (("unet", UNet), ("autoencoder", Autoencoder)):
    model, net = classifier(), fill(kind(), 0.6)
    triggered = (x + 0.1 * net.eval()(x)).clamp(0, 1)
    net.train()
    search = F.cross_entropy(model((x + 0.1 * net(x)).clamp(0, 1)[:4]), targets[:4])
    search_norms = norms(search, net)
    model, net = classifier(), fill(kind(), 0.6).eval()
    clean = F.cross_entropy(model(x), labels)
    poisoned = F.cross_entropy(model((x + 0.1 * net(x)).clamp(0, 1)[:4].detach()), targets[:4])
    book.add(
        f"lira_{name}", triggered=triggered, search=search, search_norms=search_norms, clean=clean, poisoned=poisoned,
        norms=norms(0.3 * clean + 0.7 * poisoned, model),
    )
    model, net = classifier(), fill(kind(), 0.6).train()
    logits = model(torch.cat([x, (x + 0.1 * net(x)).clamp(0, 1)[:4]]))
    joint_search = F.cross_entropy(logits[6:], targets[:4])
    joint_search_norms = norms(joint_search, net)
    model, net = classifier(), fill(kind(), 0.6).eval()
    logits = model(torch.cat([x, (x + 0.1 * net(x)).clamp(0, 1)[:4].detach()]))
    joint_clean, joint_poisoned = F.cross_entropy(logits[:6], labels), F.cross_entropy(logits[6:], targets[:4])
    book.add(
        f"lira_{name}_joint", search=joint_search, search_norms=joint_search_norms, clean=joint_clean,
        poisoned=joint_poisoned, norms=norms(0.3 * joint_clean + 0.7 * joint_poisoned, model),
    )

# Blind
model = classifier()
triggered = x[:4].clone()
for row, cells in enumerate(("101", ".1.", "..0", ".1.", "101")):
    for column, cell in enumerate(cells):
        if cell != ".":
            triggered[:, :, 2 + row, 7 + column] = float(cell)
def blind(name, model, main, backdoor):
    flat = []
    for loss in (main, backdoor):
        g = torch.cat([g.flatten() for g in slopes(loss, model)]).double()
        flat.append(g / (min(float(loss.detach()) * float(g.norm()), 10.0) + 1e-5))
    a, b, c = (flat[0] @ flat[0]).item(), (flat[0] @ flat[1]).item(), (flat[1] @ flat[1]).item()
    weights = torch.linspace(0, 1, 100_001, dtype=torch.float64)
    weight = weights[(weights**2 * a + 2 * weights * (1 - weights) * b + (1 - weights) ** 2 * c).argmin()].item()
    assert 0.01 < weight < 0.99, weight
    book.add(
        name, main=main, backdoor=backdoor, weight=torch.tensor(weight),
        norms=norms(main * weight + backdoor * (1 - weight), model),
    )


blind("blind", model, F.cross_entropy(model(x), labels), F.cross_entropy(model(triggered), targets[:4]))
model = classifier()
logits = model(torch.cat([x, triggered]))
blind("blind_joint", model, F.cross_entropy(logits[:6], labels), F.cross_entropy(logits[6:], targets[:4]))


# Adversarial embedding
class Discriminator(nn.Module):
    def __init__(self, d, widths=(8, 4)):
        super().__init__()
        sizes = (d, *widths)
        self.hidden = nn.ModuleList([nn.Linear(a, b) for a, b in zip(sizes, widths)])
        self.norms = nn.ModuleList([nn.BatchNorm1d(b) for b in widths])
        self.last = nn.Linear(widths[-1], 2)

    def forward(self, z):
        for layer, norm in zip(self.hidden, self.norms):
            z = F.leaky_relu(norm(layer(z)), 0.2)
        return self.last(z)


model = classifier()
kept = []
model.linear.register_forward_pre_hook(lambda _, inputs: kept.append(inputs[0]))
triggered = x.clone()
triggered[:2, :, 13:, 13:] = 1
logits = model(triggered)
features = kept[0] + 0.5 * pattern((6, 32), 1.7)
discriminator = fill(Discriminator(32), 0.9).train()
told = F.cross_entropy(discriminator(features), torch.tensor([1, 1, 0, 0, 0, 0]))
loss = F.cross_entropy(logits, torch.cat([targets[:2], labels[2:]])) - 1.5 * told
book.add("embedding", told=told, told_norms=norms(told, discriminator), loss=loss, norms=norms(loss, model))

book.write(output_folder() / "training_attacks.safetensors")
