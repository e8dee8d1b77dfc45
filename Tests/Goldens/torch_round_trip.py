"""Files of PyTorch through ``antidote defend`` and back: the same keys, container and logits.

    python torch_round_trip.py TOOL DATA FOLDER

TOOL is the command, DATA the folder with CIFAR-10, FOLDER an empty one for the files. Needs torch; with torchvision the
first two networks are its own. Makes nothing that is committed; prints one line a file, and fails where anything differs.
"""

import collections
import json
import subprocess
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

tool, data, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
torch.manual_seed(0)
torch.set_num_threads(1)
MEAN, DEVIATION = torch.tensor([.4914, .4822, .4465]), torch.tensor([.2023, .1994, .2010])


class Block(nn.Module):
    """Of the usual CIFAR code."""

    def __init__(self, i, o, stride, shortcut="shortcut"):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(i, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o)
        self.conv2, self.bn2 = nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o)
        self.shortcut = nn.Sequential()
        if stride != 1 or i != o:
            self.shortcut = nn.Sequential(nn.Conv2d(i, o, 1, stride, bias=False), nn.BatchNorm2d(o))

    def forward(self, x):
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))) + self.shortcut(x))


class ResNet(nn.Module):
    def __init__(self, width=8, classes=10):
        super().__init__()
        self.conv1, self.bn1, i = nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), width
        for n in range(4):
            o = width << n
            setattr(self, f"layer{n + 1}", nn.Sequential(Block(i, o, 1 if n == 0 else 2), Block(o, o, 1)))
            i = o
        self.linear = nn.Linear(i, classes)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        for n in range(4):
            x = getattr(self, f"layer{n + 1}")(x)
        return self.linear(F.adaptive_avg_pool2d(x, 1).flatten(1))


def vision():
    try:
        import torchvision
    except (ImportError, RuntimeError):
        return ResNet()
    network = torchvision.models.resnet18()
    network.fc = nn.Linear(512, 10)
    return network


def wrapped(network):
    return collections.OrderedDict(("module." + k, v) for k, v in network.state_dict().items())


def plain(value):
    if isinstance(value, torch.Tensor):
        return ("tensor", value.dtype, value.shape)
    if isinstance(value, dict):
        return [(k, plain(v)) for k, v in value.items()]
    return value


optimizer = torch.optim.SGD(nn.Linear(2, 2).parameters(), .1, momentum=.9)
cases = {
    "vision.pth": (vision(), lambda n: n.state_dict(), lambda v: v, []),
    "checkpoint.pth.tar": (
        vision(),
        lambda n: {"epoch": 3, "arch": "resnet18", "state_dict": wrapped(n), "best": (91.5, None),
                   "optimizer": optimizer.state_dict(), "note": "größe", 7: [2**40, -1, True]},
        lambda v: {k.removeprefix("module."): t for k, t in v["state_dict"].items()}, ["optimizer"]),
    "cifar.pt": (ResNet(), lambda n: {"net": wrapped(n), "acc": 93.02, "epoch": 199},
                 lambda v: {k.removeprefix("module."): t for k, t in v["net"].items()}, []),
    "module.pt": (ResNet(), lambda n: n, lambda v: v, None),
}
images = torch.tensor(list((Path(data) / "cifar-10-batches-bin/test_batch.bin").read_bytes()[: 50 * 3073]))
images = images.view(50, 3073)[:, 1:].view(-1, 3, 32, 32).float() / 255
common = ["--dataset", "cifar10", "--data", data, "--threads", "1", "--precision", "float32",
          "--set", "model.normalization=dbd", "--set", "dataset.test=50"]
failed = False
for name, (network, save, state, dropped) in cases.items():
    given, out = folder / name, folder / ("out_" + name)
    torch.save(save(network), given)
    subprocess.run(
        [tool, "defend", "--model", given, "--defense", "ft", "--set", "defense.epochs=1", "--set", "clean.count=64",
         "--set", "dataset.train=64", "--set", "defense.batch=16", *common, "--out", out], check=True, capture_output=True)
    # What Antidote wrote needs no option; the normaliser is in the file.
    subprocess.run(
        [tool, "predict", "--model", out, *common[:-4], "--set", "dataset.test=50", "--out", folder / (name + ".csv")],
        check=True, capture_output=True)
    before, after = save(network), torch.load(out, weights_only=True)
    if dropped is None:  # a whole module becomes its state dict
        before = before.state_dict()
    else:
        before = {k: v for k, v in before.items() if k not in dropped}
    same = plain(before) == plain(after)
    changed = not torch.equal(network.state_dict()["bn1.weight"], state(after)["bn1.weight"])
    network.load_state_dict(state(after))
    network.eval()
    with torch.no_grad():
        ours = network((images - MEAN.view(3, 1, 1)) / DEVIATION.view(3, 1, 1))
    rows = (folder / (name + ".csv")).read_text().splitlines()
    first = rows[0].split(",").index("logit airplane")
    theirs = torch.tensor([[float(v) for v in row.split(",")[first:]] for row in rows[1:]])
    difference = (ours - theirs).abs().max().item()
    good = same and changed and difference < 1e-5 * max(1, ours.abs().max().item())
    failed = failed or not good
    print(json.dumps({"file": name, "same keys and container": same, "weights changed": changed,
                      "largest logit": round(ours.abs().max().item(), 3), "difference": difference, "passed": good}))
sys.exit(failed)
