#!/usr/bin/env python3
"""The Python side of `antidote bench --compare`: what a user of PyTorch gets on this machine, in images per second.

Rows, all with PreAct-ResNet18 on 32x32 images, on the CPU or with --device cuda:
  train/usual     the loop of the usual benchmark code: one PIL image at a time, float32, NCHW
  train/tuned     eager PyTorch done well: uint8 images in memory, batched crop and flip, channels_last, bfloat16,
                  fused SGD
  train/compile   the same under torch.compile (with --compile; needs a C++ compiler)
  eval/usual      logits of test images, one PIL image at a time, float32, NCHW
  eval/tuned      the same from uint8 images in memory, channels_last, bfloat16
  sau/published   one batch of Shared Adversarial Unlearning, inner and outer problem, as its authors' code computes it
  audit/usual     the searches of an audit, one class after the other, float32, NCHW
  poison/badnets, poison/blended, poison/wanet, poison/sig, poison/lf, poison/bpp
                  stamping a data set one PIL image at a time, on the CPU
  forward/ssba, forward/input-aware, forward/lira
                  a forward pass alone of the networks that make these attacks' triggers, on the CPU (of the group
                  poison; see peer_generators.py)
  defenses/...    the work that baselines mostly consist of, as their papers describe it (only where --rows names the
                  group; see peer_defenses.py)

Every row is measured --repeat times after a run that does not count. The best one is printed, as JSON:
  {"torch": "2.13.0", "threads": 2, "width": 64, "batch": 128, "images_per_second": {"train/usual": 64.4, ...},
   "values": {"defenses/anp": 2.31, ...}}
The values are numbers that Antidote has to get too, from the same weights and images (--inputs).

Needs torch, numpy and pillow, best in a virtual environment outside the repository:
  python3 -m venv ~/antidote-peer
  ~/antidote-peer/bin/pip install torch==2.13.0 numpy pillow
  antidote bench --compare --python ~/antidote-peer/bin/python
or without Antidote:
  ~/antidote-peer/bin/python Benchmarks/peer.py --threads 2
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from PIL import Image

# Of CIFAR-10, per channel.
MEAN = torch.tensor([0.4914, 0.4822, 0.4465]).view(3, 1, 1)
DEVIATION = torch.tensor([0.2470, 0.2430, 0.2610]).view(3, 1, 1)
SIDE, CLASSES, PADDING = 32, 10, 4
IMAGES = 4096  # kept in memory, as `antidote bench` does
EVALUATION_BATCH = 256


def normalized(pixels):
    """pixels: float, ... x 3 x H x W, in [0, 1]."""
    return (pixels - MEAN.to(pixels.device)) / DEVIATION.to(pixels.device)


# The network ------------------------------------------------------------------------------------------------------


class PreActBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.shortcut = None
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False))

    def forward(self, x):
        active = F.relu(self.bn1(x))
        skip = x if self.shortcut is None else self.shortcut(active)
        return self.conv2(F.relu(self.bn2(self.conv1(active)))) + skip


class PreActResNet18(nn.Module):
    """The flavour of the backdoor benchmarks: 3x3 stem, no BatchNorm and ReLU at the end."""

    def __init__(self, width):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, 1, 1, bias=False)
        channels = width
        for stage in range(4):
            first = PreActBlock(channels, width << stage, 2 if stage > 0 else 1)
            channels = width << stage
            setattr(self, f"layer{stage + 1}", nn.Sequential(first, PreActBlock(channels, channels, 1)))
        self.linear = nn.Linear(channels, CLASSES)

    def stages(self, x):
        """The outputs of the four stages."""
        x, outputs = self.conv1(x), []
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
            outputs.append(x)
        return outputs

    def forward(self, x):
        return self.linear(self.stages(x)[-1].mean((2, 3)))


# Images -----------------------------------------------------------------------------------------------------------


def load_images(folder):
    """uint8 N x 3 x 32 x 32 and int64 N: CIFAR-10 in its binary layout from its folder or the one above, or random."""
    if folder is None:
        random = np.random.default_rng(0)
        return random.integers(0, 256, (IMAGES, 3, SIDE, SIDE), dtype=np.uint8), random.integers(0, CLASSES, IMAGES)
    folder = Path(folder)
    if (folder / "cifar-10-batches-bin").is_dir():
        folder = folder / "cifar-10-batches-bin"
    file = folder / "data_batch_1.bin"
    if not file.is_file():
        sys.exit(f"{file}: no such file. --data names the folder with CIFAR-10 in its binary layout.")
    record = 1 + 3 * SIDE * SIDE
    data = np.fromfile(file, np.uint8).reshape(-1, record)[:IMAGES]
    return np.ascontiguousarray(data[:, 1:].reshape(-1, 3, SIDE, SIDE)), data[:, 0].astype(np.int64)


def pil_images(images):
    return [Image.fromarray(image.transpose(1, 2, 0)) for image in images]


class PILDataset(torch.utils.data.Dataset):
    """RandomCrop(32, padding=4), RandomHorizontalFlip, ToTensor and Normalize of torchvision, one image at a time."""

    def __init__(self, images, labels, augment):
        self.images, self.labels, self.augment = pil_images(images), labels, augment

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        image = self.images[index]
        if self.augment:
            padded = Image.new("RGB", (SIDE + 2 * PADDING, SIDE + 2 * PADDING))
            padded.paste(image, (PADDING, PADDING))
            left, top = np.random.randint(0, 2 * PADDING + 1, 2)
            image = padded.crop((left, top, left + SIDE, top + SIDE))
            if np.random.rand() < 0.5:
                image = image.transpose(Image.FLIP_LEFT_RIGHT)
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous().float().div(255)
        return normalized(pixels), int(self.labels[index])


class BatchedImages:
    """The same from uint8 images in memory: one gather a batch, with a crop and a flip of its own for each image."""

    def __init__(self, images, device="cpu"):
        # channels_last in memory, so that the gather copies whole pixels and its result needs no other layout.
        images = torch.as_tensor(images).to(device).permute(0, 2, 3, 1).contiguous()
        self.images = images
        self.padded = F.pad(images, (0, 0, PADDING, PADDING, PADDING, PADDING))

    @staticmethod
    def to_model(images):
        return normalized(images.permute(0, 3, 1, 2).float().div_(255))

    def plain(self, indices):
        return self.to_model(self.images[indices])

    def augmented(self, indices):
        count, device = len(indices), indices.device
        side = torch.arange(SIDE, device=device)
        rows = torch.randint(0, 2 * PADDING + 1, (count, 1), device=device) + side
        columns = torch.randint(0, 2 * PADDING + 1, (count, 1), device=device) + side
        columns = torch.where(torch.rand(count, 1, device=device) < 0.5, columns.flip(1), columns)
        return self.to_model(self.padded[indices[:, None, None], rows[:, :, None], columns[:, None, :]])


# Measuring --------------------------------------------------------------------------------------------------------


def best_rate(body, repeat, warm_up=None):
    """Images per second of the fastest of `repeat` calls of `body`, which returns how many images it handled."""
    (warm_up or body)()
    rates = []
    for _ in range(repeat):
        wait()
        start = time.perf_counter()
        images = body()
        wait()
        rates.append(images / (time.perf_counter() - start))
    return max(rates)


def wait():
    """For a GPU, whose work goes on after a call returns."""
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.synchronize()


def first_batches(batches, count):
    for _, batch in zip(range(count), batches):
        yield batch


def sgd(model, **options):
    return torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4, **options)


def train_usual(a, images, labels):
    torch.manual_seed(0)
    model = PreActResNet18(a.width).to(a.device).train()
    optimizer = sgd(model)
    data = PILDataset(images, labels, augment=True)
    loader = torch.utils.data.DataLoader(data, a.batch, shuffle=True, drop_last=True)

    def train(steps):
        for pixels, targets in first_batches(loader, steps):
            pixels, targets = pixels.to(a.device), targets.to(a.device)
            loss = F.cross_entropy(model(pixels), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss.item()  # for the progress line
        return steps * a.batch

    return best_rate(lambda: train(a.steps), a.repeat, lambda: train(1))


def train_tuned(a, images, labels, compiled=False):
    torch.manual_seed(0)
    model = PreActResNet18(a.width).to(a.device).train().to(memory_format=torch.channels_last)
    optimizer = sgd(model, fused=True)
    network = torch.compile(model) if compiled else model
    data, labels = BatchedImages(images, a.device), torch.from_numpy(labels).to(a.device)

    def train(steps):
        for indices in first_batches(torch.randperm(len(labels), device=a.device).split(a.batch), steps):
            with torch.autocast(a.device.type, torch.bfloat16, enabled=not a.float32):
                logits = network(data.augmented(indices))
            loss = F.cross_entropy(logits.float(), labels[indices])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        return steps * a.batch

    return best_rate(lambda: train(a.steps), a.repeat, lambda: train(1))


def eval_usual(a, images, labels):
    torch.manual_seed(0)
    model = PreActResNet18(a.width).to(a.device).eval()
    loader = torch.utils.data.DataLoader(PILDataset(images, labels, augment=False), EVALUATION_BATCH)

    @torch.no_grad()
    def evaluate(steps):
        for pixels, _ in first_batches(loader, steps):
            model(pixels.to(a.device))
        return steps * EVALUATION_BATCH

    return best_rate(lambda: evaluate(a.steps), a.repeat, lambda: evaluate(1))


def eval_tuned(a, images):
    torch.manual_seed(0)
    model = PreActResNet18(a.width).to(a.device).eval().to(memory_format=torch.channels_last)
    data = BatchedImages(images, a.device)

    @torch.inference_mode()
    def evaluate(steps):
        for indices in first_batches(torch.arange(len(images), device=a.device).split(EVALUATION_BATCH), steps):
            with torch.autocast(a.device.type, torch.bfloat16, enabled=not a.float32):
                model(data.plain(indices))
        return steps * EVALUATION_BATCH

    return best_rate(lambda: evaluate(a.steps), a.repeat, lambda: evaluate(1))


def sau_published(a, images, labels):
    """One batch of Shared Adversarial Unlearning (Wei et al., NeurIPS 2023).

    As its authors compute it: float32 and NCHW; the predictions on clean images anew in each of the five inner steps;
    the inner gradient computed for the weights too; in the outer step the reference predicts clean and perturbed images
    one after the other.
    """
    torch.manual_seed(0)
    student, reference = (PreActResNet18(a.width).to(a.device).eval() for _ in range(2))
    reference.load_state_dict(student.state_dict())
    optimizer = torch.optim.Adam(student.parameters(), lr=1e-4, amsgrad=True)
    count, radius = a.sau_batch, 0.2
    x = torch.from_numpy(images[:count]).to(a.device).float().div(255)
    y = torch.from_numpy(labels[:count]).to(a.device)

    def perturb():
        delta = torch.full_like(x, radius, requires_grad=True)
        for _ in range(5):
            clean, clean_reference = student(normalized(x)).argmax(1), reference(normalized(x)).argmax(1)
            z, z_reference = student(normalized(x + delta)), reference(normalized(x + delta))
            fooled, fooled_reference = z.argmax(1) != clean, z_reference.argmax(1) != clean_reference
            shared = fooled & fooled_reference & (z.argmax(1) == z_reference.argmax(1))
            misled = F.cross_entropy(z, y, reduction="none")[~fooled].sum()
            misled = misled + F.cross_entropy(z_reference, y, reduction="none")[~fooled_reference].sum()
            p, q = z.softmax(1).clamp(min=1e-8), z_reference.softmax(1).clamp(min=1e-8)
            middle = (p + q) / 2
            divergence = (p * (p / middle).log() + q * (q / middle).log()) / 2  # of Jensen and Shannon, by class
            gain = 0.01 * misled / (2 * count) - divergence[~shared].sum() / count
            delta.grad = None
            gain.backward()
            with torch.no_grad():
                delta.add_(radius * delta.grad.sign()).clamp_(-radius, radius)
        return delta.detach()

    def unlearn():
        perturbed = x + perturb()
        with torch.no_grad():
            wrong, clean = reference(normalized(perturbed)).argmax(1), reference(normalized(x)).argmax(1)
        z, z_perturbed = student(normalized(torch.cat([x, perturbed]))).chunk(2)
        found = (wrong != y) & (wrong != clean)
        p = z_perturbed.softmax(1).gather(1, wrong[:, None])[:, 0][found]
        risk = -(1e-6 + (1 - p).clamp(max=0.999)).log().sum() - (1 + 1e-6 - p.clamp(min=0.001)).log().sum()
        optimizer.zero_grad()
        (F.cross_entropy(z, y) + risk / (2 * count)).backward()
        optimizer.step()
        return count

    return best_rate(unlearn, a.repeat)


def audit_usual(a, images):
    """The three searches of `antidote audit`, two steps each, and what they found scored: forward and backward passes a second.

    One class after the other, as published code does it; gradients of the images alone.
    """
    torch.manual_seed(0)
    model = PreActResNet18(a.width).to(a.device).eval()
    starts, steps, size, pixels, epsilon = 10, 2, 32, 12, 8 / 255
    order = torch.from_numpy(images[: 2 * size]).to(a.device).float().div(255)
    with torch.no_grad():
        predicted = model(normalized(order)).argmax(1)
    search, held_out, sources, held_sources = order[:size], order[size:], predicted[:size], predicted[size:]

    def gradient(x, t):
        x = x.detach().requires_grad_()
        z = model(normalized(x)).log_softmax(1)[:, t]
        return torch.autograd.grad((z * (sources != t)).sum(), x)[0]

    @torch.no_grad()
    def score(x, t):
        z = model(normalized(x))[held_sources != t]
        rest = torch.cat([z[:, :t], z[:, t + 1 :]], 1)
        return (z[:, t] - rest.logsumexp(1)).mean().item(), (z[:, t] - rest.max(1).values).mean().item()

    def audit():
        for t in range(CLASSES):
            x = torch.rand(starts, 3, SIDE, SIDE, device=a.device)
            for s in range(steps):
                x = x.detach().requires_grad_()
                z = model(normalized(x))
                margin = z[:, t] - torch.cat([z[:, :t], z[:, t + 1 :]], 1).max(1).values
                step = torch.autograd.grad(margin.sum(), x)[0].sign()
                x = (x.detach() + 0.05 * (1 - s / steps) * step).clamp(0, 1)
            mask = torch.zeros(1, SIDE, SIDE, device=a.device)
            colour = torch.zeros(3, SIDE, SIDE, device=a.device)
            for s in range(steps):
                g = gradient(search * (1 - mask) + colour, t)
                total = g.sum(0)
                gain = total.relu().sum(0) - (g * search).sum((0, 1))
                vertex = torch.zeros(SIDE * SIDE, device=a.device)
                vertex[gain.flatten().topk(pixels).indices] = 1
                vertex = vertex.view(1, SIDE, SIDE)
                share = 2 / (s + 2)
                mask = mask.lerp(vertex, share)
                colour = colour.lerp(vertex * (total > 0), share)
            score(held_out * (1 - mask) + colour, t)
            change = torch.zeros(3, SIDE, SIDE, device=a.device)
            for s in range(steps):
                moved = search + change
                g = gradient(moved.clamp(0, 1), t) * ((moved >= 0) & (moved <= 1))
                change = (change + 0.2 * epsilon * (1 - s / steps) * g.sum(0).sign()).clamp(-epsilon, epsilon)
            score((held_out + change).clamp(0, 1), t)
        return CLASSES * steps * (starts + 2 * size)

    return best_rate(audit, a.repeat)


def poison_rates(a, images):
    dataset = pil_images(images[: a.poison])
    pattern = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    torch.manual_seed(0)
    flow = F.interpolate(torch.rand(1, 2, 4, 4) * 2 - 1, size=SIDE, mode="bicubic", align_corners=True)
    identity = F.affine_grid(torch.eye(2, 3)[None], (1, 3, SIDE, SIDE), align_corners=True)
    grid = (identity + 0.5 * flow.permute(0, 2, 3, 1) / SIDE).clamp(-1, 1)

    def badnets(image):
        pixels = np.array(image)
        pixels[-3:, -3:] = 255
        return Image.fromarray(pixels)

    def blended(image):
        pixels = 0.8 * np.array(image).astype(np.float32) + 0.2 * pattern
        return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))

    def wanet(image):
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255
        warped = F.grid_sample(pixels, grid, align_corners=True)[0]
        return Image.fromarray((warped.permute(1, 2, 0).numpy() * 255).astype(np.uint8))

    signal = np.tile(40 * np.sin(2 * np.pi * np.arange(SIDE) * 6 / SIDE), (SIDE, 1))[:, :, None]

    def sig(image):
        pixels = np.array(image).astype(np.float32) + signal
        return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))

    smooth = (np.random.default_rng(0).random((SIDE, SIDE, 3)) * 51).astype(np.float32)

    def lf(image):
        pixels = np.array(image).astype(np.float32) + smooth
        return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))

    def bpp(image, levels=8):
        """Floyd-Steinberg dithering, a pixel at a time."""
        x = np.zeros((SIDE + 1, SIDE + 2, 3), np.float32)
        x[:SIDE, 1:-1] = np.array(image)
        for r in range(SIDE):
            for c in range(1, SIDE + 1):
                new = np.round(x[r, c] / 255 * (levels - 1)) / (levels - 1) * 255
                error = x[r, c] - new
                x[r, c] = new
                x[r, c + 1] += error * (7 / 16)
                x[r + 1, c - 1 : c + 2] += error * np.array([[3], [5], [1]], np.float32) / 16
        return Image.fromarray(np.clip(np.round(x[:SIDE, 1:-1]), 0, 255).astype(np.uint8))

    def stamp_all(stamp, images):
        for image in images:
            stamp(image)
        return len(images)

    stamps = {"badnets": badnets, "blended": blended, "wanet": wanet, "sig": sig, "lf": lf}
    rates = {"poison/" + name: best_rate(lambda: stamp_all(stamp, dataset), a.repeat) for name, stamp in stamps.items()}
    few = dataset[: max(1, len(dataset) // 100)]
    rates["poison/bpp"] = best_rate(lambda: stamp_all(bpp, few), a.repeat)
    return rates


# The command line -------------------------------------------------------------------------------------------------

USUAL_GROUPS = ["train", "eval", "sau", "audit", "poison"]
GROUPS = USUAL_GROUPS + ["defenses"]


def measure(a):
    """Images per second, and the numbers that Antidote has to get too, by row."""
    images, labels = load_images(a.data)
    rates, values = {}, {}
    groups = {row.split("/")[0] for row in a.rows}
    if "train" in groups:
        rates["train/usual"] = train_usual(a, images, labels)
        rates["train/tuned"] = train_tuned(a, images, labels)
        if a.compile:
            rates["train/compile"] = train_tuned(a, images, labels, compiled=True)
    if "eval" in groups:
        rates["eval/usual"] = eval_usual(a, images, labels)
        rates["eval/tuned"] = eval_tuned(a, images)
    if "sau" in groups:
        rates["sau/published"] = sau_published(a, images, labels)
    if "audit" in groups:
        rates["audit/usual"] = audit_usual(a, images)
    if "poison" in groups:
        import peer_generators

        rates.update(poison_rates(a, images))
        rates.update(peer_generators.measure(a, images, best_rate))
    if "defenses" in groups:
        import peer_defenses  # which takes the network and the images from here

        defense_rates, values = peer_defenses.measure(a, images, labels)
        rates.update(defense_rates)
    return rates, values


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--rows", default=",".join(USUAL_GROUPS), help="groups of rows, and rows of defenses, separated by commas")
    parser.add_argument("--data", help="folder with CIFAR-10 in its binary layout; by default images are random")
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"), help="cpu, cuda or cuda:N")
    parser.add_argument("--inputs", help="safetensors file with the weights and images of the group defenses")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="threads of one operation")
    parser.add_argument("--width", type=int, default=64, help="channels of the first stage")
    parser.add_argument("--batch", type=int, default=128, help="images in one training step")
    parser.add_argument("--sau-batch", type=int, default=64, help="images in one batch of sau/published")
    parser.add_argument("--steps", type=int, default=6, help="steps of training and evaluation in one measurement")
    parser.add_argument("--repeat", type=int, default=3, help="measurements of each row, of which the best one counts")
    parser.add_argument("--poison", type=int, default=2000, help="images to stamp")
    parser.add_argument("--compile", action="store_true", help="measure train/compile as well")
    parser.add_argument("--float32", action="store_true", help="tuned rows in float32: where bfloat16 is slow")
    a = parser.parse_args()
    a.rows = a.rows.split(",")
    for row in a.rows:
        if row not in GROUPS and not row.startswith("defenses/"):
            parser.error(f"--rows {row}: known groups are {', '.join(GROUPS)}")
    for name, unit in (("steps", max(a.batch, EVALUATION_BATCH)), ("batch", 1), ("sau_batch", 1), ("poison", 1)):
        if not 1 <= getattr(a, name) * unit <= IMAGES:
            parser.error(f"--{name.replace('_', '-')}: between 1 and {IMAGES // unit}, for {IMAGES:,} images are kept")
    return a


def main():
    a = arguments()
    torch.set_num_threads(a.threads)
    rates, values = measure(a)
    table = {"torch": torch.__version__, "threads": a.threads, "width": a.width, "batch": a.batch}
    table["images_per_second"] = rates
    table["values"] = values
    print(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
