"""The group `defenses` of peer.py: the work that baselines mostly consist of, in plain PyTorch, float32 and NCHW.

Written from the methods' papers as a careful reader would write them, with the settings that Antidote has: weights that
do not learn get no gradients, and nothing is computed twice that is computed once in the paper. Each function below
returns a number that comes out of the first step, which Antidote has to get from the same weights and images, and a
unit of work, which returns how many clean images it handled.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

from peer import CLASSES, EVALUATION_BATCH, SIDE, BatchedImages, PreActResNet18, best_rate, normalized

FEW, SOME = 16, 256  # images on which numbers are compared: in a step, as features


def read_safetensors(path):
    types = {"F32": torch.float32, "F64": torch.float64, "I64": torch.int64, "U8": torch.uint8}
    raw = Path(path).read_bytes()
    size = int.from_bytes(raw[:8], "little")
    tensors = {}
    for key, entry in json.loads(raw[8 : 8 + size]).items():
        if key == "__metadata__":
            continue
        first, last = (8 + size + offset for offset in entry["data_offsets"])
        tensor = torch.frombuffer(bytearray(raw[first:last]), dtype=types[entry["dtype"]])
        tensors[key] = tensor.reshape(entry["shape"])
    return tensors


class Pixels(BatchedImages):
    """Images of the data set, plain or augmented, as N x 3 x H x W in [0, 1]."""

    @staticmethod
    def to_model(images):
        return images.permute(0, 3, 1, 2).float().div(255).contiguous()


class Bench:
    """Networks, images and what a method draws at random; how much a unit of work is."""

    def __init__(self, a, images, labels):
        self.a, self.device = a, a.device
        self.tensors = read_safetensors(a.inputs) if a.inputs else {}
        images = self.tensors.get("images", torch.from_numpy(images))
        self.labels = self.tensors.get("labels", torch.from_numpy(labels)).to(self.device)
        self.data = Pixels(images, self.device)
        units = max(1, a.steps // 3)
        self.stepped, self.evaluated, self.units = units * a.batch, units * EVALUATION_BATCH, units
        self.filtered = 2 * self.evaluated

    def tensor(self, key, otherwise):
        return self.tensors[key].to(self.device) if key in self.tensors else otherwise().to(self.device)

    def state(self, name):
        return {key[len(name) + 1 :]: value for key, value in self.tensors.items() if key.startswith(name + ".")}

    def network(self, name="model", groups=None):
        """In evaluation mode; with group normalisation in place of batch normalisation where groups are given."""
        model = PreActResNet18(self.a.width)
        if self.tensors:
            model.load_state_dict(self.state(name))
        if groups is not None:
            for module in list(model.modules()):
                for key, norm in list(module.named_children()):
                    if isinstance(norm, nn.BatchNorm2d):
                        channels = norm.num_features
                        replaced = nn.GroupNorm(int(np.gcd(groups, channels)), channels)
                        replaced.load_state_dict({"weight": norm.weight.data, "bias": norm.bias.data})
                        setattr(module, key, replaced)
        return model.to(self.device).eval()

    def plain(self, first, last=None):
        return self.data.plain(torch.arange(first if last else 0, last or first, device=self.device))

    def batches(self, count, size, shuffled=True):
        order = torch.randperm(count, device=self.device) if shuffled else torch.arange(count, device=self.device)
        return order.split(size)

    def first(self):
        return self.plain(FEW), self.labels[:FEW]

    def features(self, model, count):
        with torch.no_grad():
            parts = [model.stages(normalized(self.data.plain(i)))[-1].mean((2, 3))
                     for i in self.batches(count, EVALUATION_BATCH, shuffled=False)]
        return torch.cat(parts)


def sgd(parameters, rate, decay=0.0):
    return torch.optim.SGD(parameters, lr=rate, momentum=0.9, weight_decay=decay)


# Pruning ----------------------------------------------------------------------------------------------------------


def fine_pruning(b):
    """Fine-Pruning: channels of the last stage by their mean activation, pruned while the accuracy is looked at."""
    model = b.network()

    @torch.no_grad()
    def mean_activations(indices):
        sums = [model.stages(normalized(b.data.plain(i)))[-1].mean((2, 3)).sum(0)
                for i in indices.split(EVALUATION_BATCH)]
        return torch.stack(sums).sum(0) / len(indices)

    @torch.no_grad()
    def accuracy(indices, kept):
        hits = 0
        for i in indices.split(EVALUATION_BATCH):
            pooled = model.stages(normalized(b.data.plain(i)))[-1].mean((2, 3))
            hits += (model.linear(pooled * kept).argmax(1) == b.labels[i]).sum().item()
        return hits / len(indices)

    def work():
        order = torch.randperm(b.evaluated, device=b.device)
        held, others = order[: b.evaluated // 2], order[b.evaluated // 2 :]
        ranked = mean_activations(others).argsort()
        kept, size = torch.ones(len(ranked), device=b.device), max(1, round(0.1 * len(ranked)))
        accuracy(held, kept)
        for count in range(size, len(ranked), size):
            kept[ranked[count - size : count]] = 0
            accuracy(held, kept)
        return b.evaluated

    means = mean_activations(torch.arange(SOME, device=b.device)).sort().values
    return means[: len(means) // 2].mean(), work


class MaskedBatchNorm(nn.Module):
    """Batch normalisation with a mask and a relative perturbation on its scale and one on its shift."""

    def __init__(self, norm):
        super().__init__()
        self.norm = norm
        self.mask = nn.Parameter(torch.ones_like(norm.weight))
        self.scale_noise = nn.Parameter(torch.zeros_like(norm.weight))
        self.shift_noise = nn.Parameter(torch.zeros_like(norm.weight))
        self.is_perturbed = False

    def forward(self, x):
        scale, shift = self.norm.weight * self.mask, self.norm.bias
        if self.is_perturbed:
            scale, shift = self.norm.weight * (self.mask + self.scale_noise), shift * (1 + self.shift_noise)
        n = self.norm
        return F.batch_norm(x, n.running_mean, n.running_var, scale, shift, self.training, n.momentum, n.eps)


def adversarial_neuron_pruning(b, epsilon=0.4, alpha=0.2):
    model = b.network().requires_grad_(False)
    norms = []
    for module in list(model.modules()):
        for key, norm in list(module.named_children()):
            if isinstance(norm, nn.BatchNorm2d):
                masked = MaskedBatchNorm(norm)
                setattr(module, key, masked)
                norms.append(masked)
    model.train()
    noise = [p for n in norms for p in (n.scale_noise, n.shift_noise)]
    optimizer = sgd([n.mask for n in norms], 0.2)

    def loss(images, labels, is_perturbed):
        for n in norms:
            n.is_perturbed = is_perturbed
        return F.cross_entropy(model(normalized(images)), labels)

    def total(images, labels):
        up = torch.autograd.grad(loss(images, labels, True), noise)
        with torch.no_grad():
            for p, gradient in zip(noise, up):
                p.add_(epsilon * gradient.sign()).clamp_(-epsilon, epsilon)
                p.requires_grad_(False)
        robust, natural = loss(images, labels, True), loss(images, labels, False)
        for p in noise:
            p.requires_grad_(True)
        return alpha * natural + (1 - alpha) * robust

    def work():
        for _ in range(b.units):
            indices = torch.randint(b.stepped, (b.a.batch,), device=b.device)
            with torch.no_grad():
                for p in noise:
                    p.uniform_(-epsilon, epsilon)
            value = total(b.data.augmented(indices), b.labels[indices])
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            with torch.no_grad():
                for n in norms:
                    n.mask.clamp_(0, 1)
        return b.stepped

    with torch.no_grad():
        for number, p in enumerate(noise):
            p.copy_(b.tensor(f"pruning.{number}", lambda: torch.zeros_like(p)))
    return total(*b.first()).item(), work


def entropy_pruning(b, width=0.1):
    model = b.network()
    inputs = {}
    for name, module in model.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            module.register_forward_pre_hook(
                lambda _, x, name=name: inputs.setdefault(name, []).append(x[0].amax((2, 3))))

    @torch.no_grad()
    def entropies(count):
        inputs.clear()
        for i in b.batches(count, EVALUATION_BATCH, shuffled=False):
            model(normalized(b.data.plain(i)))
        found = []
        for parts in inputs.values():
            values = torch.cat(parts).double()
            standard = (values - values.mean(0)) / values.std(0)
            bins = ((standard - standard.min()) / width).floor().long()
            for channel in bins.T:
                shares = channel.bincount().double() / count
                shares = shares[shares > 0]
                found.append(-(shares * shares.log()).sum())
        return torch.stack(found)

    def work():
        entropies(b.evaluated).mean().item()
        return b.evaluated

    return entropies(SOME).mean(), work


# Triggers ---------------------------------------------------------------------------------------------------------


def unit(x):
    return x.tanh() / (2 + 1e-7) + 0.5


def neural_cleanse(b, batch=32):
    """The search for the smallest trigger, one class after the other."""
    model = b.network().requires_grad_(False)

    def loss(images, target, mask, pattern, cost):
        m = unit(mask)
        logits = model(normalized((1 - m) * images + m * unit(pattern)))
        targets = torch.full((len(images),), target, device=b.device)
        hits = (logits.argmax(1) == target).sum()
        return F.cross_entropy(logits, targets) + cost * m.abs().sum(), hits

    def start(shape):
        return ((torch.rand(shape, device=b.device) - 0.5) * 2).clamp(-0.999999, 0.999999).atanh().requires_grad_()

    def work():
        count = b.units * batch
        for target in range(CLASSES):
            mask, pattern, hits = start((1, SIDE, SIDE)), start((3, SIDE, SIDE)), 0
            optimizer = torch.optim.Adam([mask, pattern], lr=0.1, betas=(0.5, 0.9))
            for indices in b.batches(count, batch):
                value, found = loss(b.data.plain(indices), target, mask, pattern, 0)
                optimizer.zero_grad()
                value.backward()
                optimizer.step()
                hits = hits + found
            (hits / count).item()
        return count

    zeros = torch.zeros(3, SIDE, SIDE, device=b.device)
    return sum(loss(b.plain(FEW), k, zeros[:1], zeros, 1e-3)[0] for k in range(CLASSES)), work


class SmallNetwork(nn.Sequential):
    def __init__(self, inputs, outputs, width=64):
        super().__init__(
            nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, outputs))


def mesa(b, batch=64, noise=64, side=3, threshold=0.9, alpha=0.1):
    """The max-entropy staircase approximator's search with one threshold, one class after the other."""
    model = b.network().requires_grad_(False)
    size = 3 * side * side

    def stamp(images, triggers, rows, columns):
        images = images.clone()
        steps = torch.arange(side, device=b.device)
        i = torch.arange(len(images), device=b.device)[:, None, None]
        r, c = (rows[:, None] + steps)[:, :, None], (columns[:, None] + steps)[:, None, :]
        # Advanced indices on both sides of a slice come first.
        images[i, :, r, c] = triggers.reshape(-1, 3, side, side).permute(0, 2, 3, 1)
        return images

    def places(count):
        return (torch.randint(SIDE - side + 1, (count,), device=b.device) for _ in range(2))

    def losses(images, target, generator, statistics, z, independent, rows, columns):
        triggers = generator(z).sigmoid()
        p = model(normalized(stamp(images, triggers, rows, columns))).softmax(1)[:, target]
        joint = statistics(torch.cat([triggers, z], 1))
        apart = statistics(torch.cat([triggers, independent], 1))
        information = joint.mean() - (apart.logsumexp(0) - np.log(len(images))).squeeze()
        return (threshold - p).relu().mean() - alpha * information

    def work():
        count = b.units * batch
        for target in range(CLASSES):
            generator = SmallNetwork(noise, size).to(b.device)
            statistics = SmallNetwork(size + noise, 1).to(b.device)
            optimizer = torch.optim.Adam([*generator.parameters(), *statistics.parameters()], lr=1e-3)
            for indices in b.batches(count, batch):
                z, independent = (torch.rand(len(indices), noise, device=b.device) for _ in range(2))
                value = losses(
                    b.data.plain(indices), target, generator, statistics, z, independent, *places(len(indices)))
                optimizer.zero_grad()
                value.backward()
                optimizer.step()
            with torch.no_grad():
                others = (b.labels[:count] != target).nonzero().flatten()
                for indices in others.split(EVALUATION_BATCH):
                    triggers = generator(torch.rand(len(indices), noise, device=b.device)).sigmoid()
                    images = stamp(b.data.plain(indices), triggers, *places(len(indices)))
                    (model(normalized(images)).argmax(1) == target).sum().item()
        return count

    networks = {"generator": SmallNetwork(noise, size), "statistics": SmallNetwork(size + noise, 1)}
    for name, network in networks.items():
        for number, layer in enumerate(list(network)[::2]):
            for key, p in layer.named_parameters():
                p.data = b.tensor(f"triggers.{name}.{number}.{key}", lambda: p.data)
    draw = [b.tensor("draw." + key, lambda: torch.rand(FEW, noise)) for key in ("noise", "independent")]
    draw += [b.tensor("draw." + key, lambda: torch.zeros(FEW).long()) for key in ("rows", "columns")]
    return losses(b.plain(FEW), 0, *(n.to(b.device) for n in networks.values()), *draw), work


# Learning again ---------------------------------------------------------------------------------------------------


def attention_distillation(b, betas=(500, 1000, 1000), square=9):
    """Neural Attention Distillation: the student's steps."""
    student, teacher = b.network(), b.network("other").requires_grad_(False)

    def attention(stage):
        maps = stage.square().sum(1).flatten(1)
        return maps / (maps.norm(dim=1, keepdim=True) + 1e-6)

    def loss(images, labels):
        with torch.no_grad():
            taught = teacher.stages(normalized(images))
        stages = student.stages(normalized(images))
        value = F.cross_entropy(student.linear(stages[-1].mean((2, 3))), labels)
        for own, other, beta in zip(stages[1:], taught[1:], betas):
            value = value + beta * F.mse_loss(attention(own), attention(other))
        return value

    def cutout(images):
        places = torch.arange(SIDE, device=b.device)
        def inside():
            centre = torch.randint(SIDE, (len(images), 1), device=b.device)
            return (places - centre).abs() <= square // 2
        return images * ~(inside()[:, None, :, None] & inside()[:, None, None, :])

    optimizer = sgd(student.parameters(), 0.1, 1e-4)

    def work():
        student.train()
        for indices in b.batches(b.stepped, b.a.batch):
            value = loss(cutout(b.data.augmented(indices)), b.labels[indices])
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
        return b.stepped

    return loss(*b.first()).item(), work


def implicit_unlearning(b, rate=10.0, penalty=0.001, step=0.1, repetitions=5, share=0.01):
    """I-BAU: a perturbation of all images, and steps along the hypergradient."""
    model = b.network()
    weights = list(model.parameters())
    optimizer = torch.optim.Adam(weights, lr=1e-3)

    def inner(images, classes, d):
        return penalty * d.square().sum() - F.cross_entropy(model(normalized(images + d)), classes)

    def perturbation(batches):
        d = torch.zeros(1, 3, SIDE, SIDE, device=b.device)
        for images in batches:
            d.requires_grad_()
            with torch.no_grad():
                classes = model(normalized(images)).argmax(1)
            d = (d - rate * torch.autograd.grad(inner(images, classes, d), d)[0]).detach()
        return d

    def hypergradient(d, first, outer):
        d = d.clone().requires_grad_()
        by_d, *direct = torch.autograd.grad(outer(d), [d, *weights])
        mapped = d - step * torch.autograd.grad(inner(*first, d), d, create_graph=True)[0]
        v = torch.zeros_like(d)
        for _ in range(repetitions):
            v = torch.autograd.grad(mapped, d, v, retain_graph=True)[0] + by_d
        indirect = torch.autograd.grad(mapped, weights, v, allow_unused=True)
        return [a if c is None else a + c for a, c in zip(direct, indirect)]

    def work():
        batches = b.batches(b.stepped, b.a.batch)
        d = perturbation(b.data.plain(i) for i in batches)
        first = b.data.plain(batches[0]), b.labels[batches[0]]
        for indices in batches:
            images, labels = b.data.plain(indices), b.labels[indices]
            marked = torch.zeros(len(images), 1, 1, 1, device=b.device)
            marked[torch.randperm(len(images))[: max(1, int(share * len(images)))]] = 1
            gradients = hypergradient(
                d, first, lambda d: F.cross_entropy(model(normalized(images + marked * d)), labels))
            for p, gradient in zip(weights, gradients):
                p.grad = gradient
            optimizer.step()
        return b.stepped

    images, labels = b.first()
    gradients = hypergradient(
        perturbation([images]), (images, labels), lambda d: F.cross_entropy(model(normalized(images + d)), labels))
    return torch.cat([g.flatten() for g in gradients]).norm(), work


def feature_shift_tuning(b, alpha=0.2):
    model, other = b.network(), b.network("other")

    def loss(images, labels, old):
        return F.cross_entropy(model(normalized(images)), labels) + alpha * (model.linear.weight * old).sum()

    value = loss(*b.first(), other.linear.weight.detach()).item()
    old = model.linear.weight.detach().clone()
    norm = old.norm()
    model.linear.reset_parameters()
    optimizer = sgd(model.parameters(), 0.01)

    def work():
        model.train()
        for indices in b.batches(b.stepped, b.a.batch):
            value = loss(b.data.augmented(indices), b.labels[indices], old)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            with torch.no_grad():
                model.linear.weight.mul_(norm / model.linear.weight.norm())
        return b.stepped

    return value, work


# Training ---------------------------------------------------------------------------------------------------------


def anti_backdoor_learning(b, gamma=0.5):
    """An epoch of local gradient ascent, and the losses by which samples are isolated."""
    model = b.network()
    with torch.no_grad():
        images, labels = b.first()
        losses = F.cross_entropy(model(normalized(images)), labels, reduction="none")
        value = ((losses - 2.3).sign() * losses).mean()
    optimizer = sgd(model.parameters(), 0.1, 1e-4)

    def work():
        model.train()
        for indices in b.batches(b.stepped, b.a.batch):
            loss = F.cross_entropy(model(normalized(b.data.augmented(indices))), b.labels[indices])
            optimizer.zero_grad()
            (torch.sign(loss.detach() - gamma) * loss).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            losses = [F.cross_entropy(model(normalized(b.data.plain(i))), b.labels[i], reduction="none")
                      for i in b.batches(b.stepped, EVALUATION_BATCH, shuffled=False)]
            torch.cat(losses).argsort()[: b.stepped // 4].tolist()
        return b.stepped

    return value, work


def private_training(b, by_sample=False, clip=1.0, noise=1.0, chunk=32):
    """DPSGD: every sample's gradient by torch.func, a part of the batch at a time; or one backward pass a sample."""
    model = b.network(groups=16)
    weights = dict(model.named_parameters())
    optimizer = sgd(weights.values(), 0.1, 5e-4)

    def loss(weights, image, label):
        logits = torch.func.functional_call(model, weights, (normalized(image[None]),))
        return F.cross_entropy(logits, label[None])

    by_samples = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0, 0))

    def clipped_sums(images, labels):
        sums = [torch.zeros_like(p) for p in weights.values()]
        for part, wanted in zip(images.split(chunk), labels.split(chunk)):
            gradients = list(by_samples({k: p.detach() for k, p in weights.items()}, part, wanted).values())
            norms = torch.stack([g.flatten(1).norm(dim=1) for g in gradients]).norm(dim=0)
            factors = (clip / norms.clamp(min=1e-12)).clamp(max=1)
            for total, g in zip(sums, gradients):
                total += torch.einsum("n,n...->...", factors, g)
        return sums

    def clipped_sums_by_sample(images, labels):
        sums = [torch.zeros_like(p) for p in weights.values()]
        for image, label in zip(images, labels):
            value = F.cross_entropy(model(normalized(image[None])), label[None])
            gradients = torch.autograd.grad(value, list(weights.values()))
            norm = torch.stack([g.norm() for g in gradients]).norm()
            factor = (clip / norm.clamp(min=1e-12)).clamp(max=1)
            for total, g in zip(sums, gradients):
                total += factor * g
        return sums

    sums_of = clipped_sums_by_sample if by_sample else clipped_sums
    count = FEW if by_sample else b.stepped  # of its gradients one costs as much as another

    def work():
        for indices in b.batches(count, b.a.batch):
            sums = sums_of(b.data.augmented(indices), b.labels[indices])
            for p, total in zip(weights.values(), sums):
                p.grad = (total + noise * clip * torch.randn_like(total)) / len(indices)
            optimizer.step()
        return count

    return torch.cat([s.flatten() for s in sums_of(*b.first())]).norm(), work


def plain_training(b):
    """The network that DPSGD trains, by SGD."""
    with torch.no_grad():
        images, labels = b.first()
        value = F.cross_entropy(b.network()(normalized(images)), labels)
    model = b.network(groups=16)
    optimizer = sgd(model.parameters(), 0.1, 5e-4)

    def work():
        for indices in b.batches(b.stepped, b.a.batch):
            loss = F.cross_entropy(model(normalized(b.data.augmented(indices))), b.labels[indices])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return b.stepped

    return value, work


# Filters and guards -----------------------------------------------------------------------------------------------


def of_each_class(b, features):
    labels = b.labels[: len(features)]
    return [features[labels == k] for k in range(CLASSES)]


def spectral_signatures(b):
    model = b.network()

    def scores(features):
        centred = features - features.mean(0)
        return (centred @ torch.linalg.svd(centred, full_matrices=False).Vh[0]).square()

    def work():
        for features in of_each_class(b, b.features(model, b.filtered)):
            scores(features).argsort(descending=True).tolist()
        return b.filtered

    return scores(of_each_class(b, b.features(model, SOME))[0]).mean(), work


def activation_clustering(b, count=10, starts=10):
    model = b.network()

    def components(features):
        centred = features - features.mean(0)
        return centred @ torch.linalg.svd(centred, full_matrices=False).Vh[:count].T

    def two_means(points, random):
        best = (np.inf, None)
        for _ in range(starts):
            first = points[random.integers(len(points))]
            distances = ((points - first) ** 2).sum(1)
            centres = np.stack([first, points[random.choice(len(points), p=distances / distances.sum())]])
            chosen = None
            for _ in range(300):
                distances = ((points[:, None] - centres) ** 2).sum(2)
                now = distances.argmin(1)
                if chosen is not None and (now == chosen).all():
                    break
                chosen = now
                centres = np.stack([points[chosen == k].mean(0) if (chosen == k).any() else centres[k] for k in (0, 1)])
            best = min(best, (distances.min(1).sum(), chosen), key=lambda found: found[0])
        return best[1]

    def work():
        random = np.random.default_rng(0)
        for features in of_each_class(b, b.features(model, b.filtered)):
            np.bincount(two_means(components(features).cpu().numpy(), random), minlength=2).argmin()
        return b.filtered

    value = components(of_each_class(b, b.features(model, SOME))[0]).std(0, unbiased=False).sum()
    return value, work


def shrink_pad(b, border=3):
    model = b.network()

    @torch.no_grad()
    def logits(images):
        small = F.interpolate(images, size=SIDE - border, mode="bilinear", align_corners=False)
        return model(normalized(F.pad(small, (0, border, 0, border))))

    def work():
        torch.cat([logits(b.data.plain(i)) for i in b.batches(b.filtered, EVALUATION_BATCH, shuffled=False)])
        return b.filtered

    images, labels = b.first()
    return F.cross_entropy(logits(images), labels), work


ROWS = {
    "fp": fine_pruning,
    "anp": adversarial_neuron_pruning,
    "ep": entropy_pruning,
    "nc": neural_cleanse,
    "nad": attention_distillation,
    "i-bau": implicit_unlearning,
    "abl": anti_backdoor_learning,
    "dpsgd": private_training,
    "dpsgd-loop": lambda b: private_training(b, by_sample=True),
    "sgd": plain_training,
    "spectral": spectral_signatures,
    "activation-clustering": activation_clustering,
    "mesa": mesa,
    "shrinkpad": shrink_pad,
    "fst": feature_shift_tuning,
}


def measure(a, images, labels):
    """Images per second and the first step's numbers, by row."""
    torch.manual_seed(0)
    bench = Bench(a, images, labels)
    rates, values = {}, {}
    wanted = {row.removeprefix("defenses/") for row in a.rows if row.startswith("defenses")}
    if unknown := wanted - {"defenses", *ROWS}:
        sys.exit(f"--rows: unknown defenses {', '.join(unknown)}. Known: {', '.join(ROWS)}.")
    if "dpsgd" in wanted:
        wanted.add("dpsgd-loop")
    for name, make in ROWS.items():
        if "defenses" not in wanted and name not in wanted:
            continue
        value, work = make(bench)
        values["defenses/" + name] = value.item() if torch.is_tensor(value) else value
        rates["defenses/" + name] = best_rate(work, a.repeat)
    return rates, values
