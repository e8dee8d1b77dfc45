"""Plain PyTorch definitions of the classifiers whose goldens are made here.

Every class has ``features(x)`` (the input of the last linear layer) and ``forward(x)`` (logits).
"""

import torch
import torch.nn.functional as F
from torch import nn


def conv3(a, b, stride=1):
    return nn.Conv2d(a, b, 3, stride, 1, bias=False)


def pooled(x):
    return F.adaptive_avg_pool2d(x, 1).flatten(1)


class PreActBlock(nn.Module):
    def __init__(self, a, b, stride):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(a)
        self.conv1 = conv3(a, b, stride)
        self.bn2 = nn.BatchNorm2d(b)
        self.conv2 = conv3(b, b)
        if stride != 1 or a != b:
            self.shortcut = nn.Sequential(nn.Conv2d(a, b, 1, stride, bias=False))

    def forward(self, x):
        h = F.relu(self.bn1(x))
        skip = self.shortcut(h) if hasattr(self, "shortcut") else x
        return self.conv2(F.relu(self.bn2(self.conv1(h)))) + skip


class PreActResNet18(nn.Module):
    """No BatchNorm or ReLU after the last block."""

    def __init__(self, classes=10, width=64):
        super().__init__()
        self.conv1 = conv3(3, width)
        a = width
        for n in range(4):
            b = width * 2**n
            setattr(self, f"layer{n + 1}", nn.Sequential(PreActBlock(a, b, 1 if n == 0 else 2), PreActBlock(b, b, 1)))
            a = b
        self.linear = nn.Linear(a, classes)

    def features(self, x):
        x = self.conv1(x)
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
        return pooled(x)

    def forward(self, x):
        return self.linear(self.features(x))


class BasicBlock(nn.Module):
    def __init__(self, a, b, stride, skip_name):
        super().__init__()
        self.conv1 = conv3(a, b, stride)
        self.bn1 = nn.BatchNorm2d(b)
        self.conv2 = conv3(b, b)
        self.bn2 = nn.BatchNorm2d(b)
        self.skip_name = skip_name if stride != 1 or a != b else None
        if self.skip_name:
            setattr(self, skip_name, nn.Sequential(nn.Conv2d(a, b, 1, stride, bias=False), nn.BatchNorm2d(b)))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (getattr(self, self.skip_name)(x) if self.skip_name else x))


class ResNet18(nn.Module):
    """CIFAR flavour (3x3 stem; keys shortcut, linear) or torchvision's (7x7 stem, max-pool; keys downsample, fc)."""

    def __init__(self, classes=10, width=64, large=False):
        super().__init__()
        self.large = large
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False) if large else conv3(3, width)
        self.bn1 = nn.BatchNorm2d(width)
        a = width
        for n in range(4):
            b = width * 2**n
            name = "downsample" if large else "shortcut"
            setattr(self, f"layer{n + 1}", nn.Sequential(BasicBlock(a, b, 1 if n == 0 else 2, name), BasicBlock(b, b, 1, name)))
            a = b
        setattr(self, "fc" if large else "linear", nn.Linear(a, classes))

    def features(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        if self.large:
            x = F.max_pool2d(x, 3, 2, 1)
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
        return pooled(x)

    def forward(self, x):
        return (self.fc if self.large else self.linear)(self.features(x))


class OptionABlock(nn.Module):
    def __init__(self, a, b, stride):
        super().__init__()
        self.conv1 = conv3(a, b, stride)
        self.bn1 = nn.BatchNorm2d(b)
        self.conv2 = conv3(b, b)
        self.bn2 = nn.BatchNorm2d(b)
        self.pad = b // 4 if stride != 1 or a != b else 0

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        skip = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.pad, self.pad)) if self.pad else x
        return F.relu(y + skip)


class ResNet32(nn.Module):
    def __init__(self, classes=10, width=16):
        super().__init__()
        self.conv1 = conv3(3, width)
        self.bn1 = nn.BatchNorm2d(width)
        a = width
        for n in range(3):
            b = width * 2**n
            blocks = [OptionABlock(a if k == 0 else b, b, 2 if k == 0 and n > 0 else 1) for k in range(5)]
            setattr(self, f"layer{n + 1}", nn.Sequential(*blocks))
            a = b
        self.linear = nn.Linear(a, classes)

    def features(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        return pooled(self.layer3(self.layer2(self.layer1(x))))

    def forward(self, x):
        return self.linear(self.features(x))


class VGG19(nn.Module):
    """torchvision's layout: average-pooled to 7x7, then three linear layers. No dropout here (its modules keep their index)."""

    def __init__(self, classes=10, width=64, hidden=4096, batch_norm=False):
        super().__init__()
        layers, a = [], 3
        for v in (1, 1, "M", 2, 2, "M", 4, 4, 4, 4, "M", 8, 8, 8, 8, "M", 8, 8, 8, 8, "M"):
            if v == "M":
                layers.append(nn.MaxPool2d(2))
                continue
            b = v * width
            layers.append(nn.Conv2d(a, b, 3, padding=1))
            if batch_norm:
                layers.append(nn.BatchNorm2d(b))
            layers.append(nn.ReLU())
            a = b
        # The attribute is named as torchvision names it; hence penultimate() below.
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Linear(a * 49, hidden), nn.ReLU(), nn.Dropout(0.0), nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(0.0), nn.Linear(hidden, classes)
        )

    def penultimate(self, x):
        return self.classifier[:6](F.adaptive_avg_pool2d(self.features(x), 7).flatten(1))

    def forward(self, x):
        return self.classifier[6](self.penultimate(x))


class DenseLayer(nn.Module):
    def __init__(self, a, growth):
        super().__init__()
        self.norm1 = nn.BatchNorm2d(a)
        self.conv1 = nn.Conv2d(a, 4 * growth, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(4 * growth)
        self.conv2 = conv3(4 * growth, growth)

    def forward(self, x):
        y = self.conv1(F.relu(self.norm1(x)))
        return torch.cat([x, self.conv2(F.relu(self.norm2(y)))], 1)


class Transition(nn.Module):
    def __init__(self, a, b):
        super().__init__()
        self.norm = nn.BatchNorm2d(a)
        self.conv = nn.Conv2d(a, b, 1, bias=False)

    def forward(self, x):
        return F.avg_pool2d(self.conv(F.relu(self.norm(x))), 2)


class DenseNet121(nn.Module):
    def __init__(self, classes=10, growth=32, init=64, small_stem=False):
        super().__init__()
        f = nn.Sequential()
        f.add_module("conv0", conv3(3, init) if small_stem else nn.Conv2d(3, init, 7, 2, 3, bias=False))
        f.add_module("norm0", nn.BatchNorm2d(init))
        f.add_module("relu0", nn.ReLU())
        if not small_stem:
            f.add_module("pool0", nn.MaxPool2d(3, 2, 1))
        a = init
        for n, count in enumerate((6, 12, 24, 16)):
            block = nn.Sequential()
            for k in range(count):
                block.add_module(f"denselayer{k + 1}", DenseLayer(a + k * growth, growth))
            f.add_module(f"denseblock{n + 1}", block)
            a += count * growth
            if n < 3:
                f.add_module(f"transition{n + 1}", Transition(a, a // 2))
                a //= 2
        f.add_module("norm5", nn.BatchNorm2d(a))
        self.features = f
        self.classifier = nn.Linear(a, classes)

    def penultimate(self, x):
        return pooled(F.relu(self.features(x)))

    def forward(self, x):
        return self.classifier(self.penultimate(x))


class SmallCNN(nn.Module):
    def __init__(self, classes=10, width=32):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(2 * width)
        self.conv3 = nn.Conv2d(2 * width, 4 * width, 3, padding=1)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.linear = nn.Linear(4 * width, classes)

    def features(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 2)
        x = F.max_pool2d(F.relu(self.bn2(self.conv2(x))), 2)
        return pooled(F.relu(self.bn3(self.conv3(x))))

    def forward(self, x):
        return self.linear(self.features(x))


def penultimate(model, x):
    """The input of the last linear layer."""
    return model.penultimate(x) if hasattr(model, "penultimate") else model.features(x)


class WideBlock(nn.Module):
    def __init__(self, a, b, stride):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(a)
        self.conv1 = conv3(a, b, stride)
        self.bn2 = nn.BatchNorm2d(b)
        self.conv2 = conv3(b, b)
        if a != b:
            self.convShortcut = nn.Conv2d(a, b, 1, stride, bias=False)

    def forward(self, x):
        h = F.relu(self.bn1(x))
        skip = self.convShortcut(h) if hasattr(self, "convShortcut") else x
        return self.conv2(F.relu(self.bn2(self.conv1(h)))) + skip


class WideGroup(nn.Module):
    def __init__(self, a, b, count, stride):
        super().__init__()
        self.layer = nn.Sequential(*[WideBlock(a if n == 0 else b, b, stride if n == 0 else 1) for n in range(count)])

    def forward(self, x):
        return self.layer(x)


class WideResNet(nn.Module):
    """WRN-depth-widen; width is that of the first convolution."""

    def __init__(self, classes=10, width=16, depth=28, widen=10):
        super().__init__()
        count, size = (depth - 4) // 6, width * widen
        self.conv1 = conv3(3, width)
        self.block1 = WideGroup(width, size, count, 1)
        self.block2 = WideGroup(size, 2 * size, count, 2)
        self.block3 = WideGroup(2 * size, 4 * size, count, 2)
        self.bn1 = nn.BatchNorm2d(4 * size)
        self.fc = nn.Linear(4 * size, classes)

    def features(self, x):
        return pooled(F.relu(self.bn1(self.block3(self.block2(self.block1(self.conv1(x)))))))

    def forward(self, x):
        return self.fc(self.features(x))


class CIFARVGG(nn.Module):
    """VGG of CIFAR code: BatchNorm, one linear layer."""

    PLANS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}

    def __init__(self, classes=10, width=64, depth=19):
        super().__init__()
        layers, a = [], 3
        for multiple, count in zip((1, 2, 4, 8, 8), self.PLANS[depth]):
            for _ in range(count):
                layers += [nn.Conv2d(a, multiple * width, 3, padding=1), nn.BatchNorm2d(multiple * width), nn.ReLU()]
                a = multiple * width
            layers.append(nn.MaxPool2d(2))
        self.body = nn.Sequential(*layers)
        self.classifier = nn.Linear(a, classes)

    def features(self, x):
        return pooled(self.body(x))

    def forward(self, x):
        return self.classifier(self.features(x))


class CIFARDenseLayer(nn.Module):
    def __init__(self, a, growth):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(a)
        self.conv1 = nn.Conv2d(a, 4 * growth, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(4 * growth)
        self.conv2 = nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False)

    def forward(self, x):
        return torch.cat([self.conv2(F.relu(self.bn2(self.conv1(F.relu(self.bn1(x)))))), x], 1)


class CIFARTransition(nn.Module):
    def __init__(self, a, b):
        super().__init__()
        self.bn = nn.BatchNorm2d(a)
        self.conv = nn.Conv2d(a, b, 1, bias=False)

    def forward(self, x):
        return F.avg_pool2d(self.conv(F.relu(self.bn(x))), 2)


class CIFARDenseNet(nn.Module):
    """DenseNet of CIFAR code: no BatchNorm after the first convolution, outputs before inputs."""

    def __init__(self, classes=10, width=24):
        super().__init__()
        growth, a = width // 2, width
        self.conv1 = conv3(3, width)
        for n, count in enumerate((6, 12, 24, 16)):
            setattr(self, f"dense{n + 1}", nn.Sequential(*[CIFARDenseLayer(a + i * growth, growth) for i in range(count)]))
            a += count * growth
            if n < 3:
                setattr(self, f"trans{n + 1}", CIFARTransition(a, a // 2))
                a //= 2
        self.bn = nn.BatchNorm2d(a)
        self.linear = nn.Linear(a, classes)

    def features(self, x):
        x = self.conv1(x)
        for n in range(1, 4):
            x = getattr(self, f"trans{n}")(getattr(self, f"dense{n}")(x))
        return pooled(F.relu(self.bn(self.dense4(x))))

    def forward(self, x):
        return self.linear(self.features(x))
