"""The networks that learned attacks stamp images with, of published width, as PyTorch computes them: `forward/...` of peer.py.

A forward pass on a batch of float32 images that is in memory, without reading, rounding or storing them. Weights are random.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F

SIDE, BATCH = 32, 256


class Block(nn.Module):
    """Convolution, BatchNorm, ReLU."""

    def __init__(self, inputs, outputs, relu=True):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.norm = nn.BatchNorm2d(outputs)
        self.relu = relu

    def forward(self, x):
        x = self.norm(self.conv(x))
        return F.relu(x, inplace=True) if self.relu else x


class InputAwareNetwork(nn.Module):
    """Three levels down and up, 32 to 128 channels."""

    def __init__(self, outputs, widths=(32, 64, 128)):
        super().__init__()
        inputs = (3,) + widths[:-1]
        self.down = nn.ModuleList(nn.Sequential(Block(i, w), Block(w, w)) for i, w in zip(inputs, widths))
        self.middle = Block(widths[-1], widths[-1])
        self.up = nn.ModuleList(
            nn.Sequential(Block(w, w), Block(w, i if level else outputs, relu=level > 0))
            for level, (i, w) in reversed(list(enumerate(zip(inputs, widths)))))

    def forward(self, x):
        for block in self.down:
            x = F.max_pool2d(block(x), 2)
        x = self.middle(x)
        for block in self.up:
            x = block(F.interpolate(x, scale_factor=2, mode="bilinear"))
        return torch.tanh(x) / 2 + 0.5


class InputAware(nn.Module):
    """A pattern and a mask for each image."""

    def __init__(self):
        super().__init__()
        self.pattern, self.mask = InputAwareNetwork(3), InputAwareNetwork(1)

    def forward(self, x):
        mask = torch.tanh(20 * self.mask(x) - 10) / 2 + 0.5
        return x + (self.pattern(x) - x) * mask


class LIRA(nn.Module):
    """A U-Net of four levels, 64 to 512 channels."""

    def __init__(self, w=64):
        super().__init__()

        def double(inputs, outputs):
            return nn.Sequential(Block(inputs, outputs), Block(outputs, outputs))

        self.down = nn.ModuleList([double(3, w), double(w, 2 * w), double(2 * w, 4 * w), double(4 * w, 8 * w)])
        self.up = nn.ModuleList([double(12 * w, 4 * w), double(6 * w, 2 * w), double(3 * w, w)])
        self.last, self.norm = nn.Conv2d(w, 3, 1), nn.BatchNorm2d(3)

    def forward(self, images):
        x, passed = images, []
        for block in self.down[:3]:
            passed.append(block(x))
            x = F.max_pool2d(passed[-1], 2)
        x = self.down[3](x)
        for block, beside in zip(self.up, reversed(passed)):
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
            x = block(torch.cat([x, beside], 1))
        return images + 0.01 * torch.tanh(self.norm(self.last(x)))


class SSBA(nn.Module):
    """The encoder of StegaStamp, 32 to 256 channels and 100 bits."""

    def __init__(self, w=32, bits=100):
        super().__init__()

        def conv(inputs, outputs, stride=1):
            return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1), nn.ReLU(inplace=True))

        def up(inputs, outputs):
            return nn.Sequential(
                nn.Upsample(scale_factor=2), nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(inputs, outputs, 2),
                nn.ReLU(inplace=True))

        self.bits, self.dense = bits, nn.Linear(bits, 3 * SIDE * SIDE)
        self.first = conv(6, w)
        self.down = nn.ModuleList([conv(w, w, 2), conv(w, 2 * w, 2), conv(2 * w, 4 * w, 2), conv(4 * w, 8 * w, 2)])
        self.up = nn.ModuleList([up(8 * w, 4 * w), up(4 * w, 2 * w), up(2 * w, w), up(w, w)])
        self.joined = nn.ModuleList([conv(8 * w, 4 * w), conv(4 * w, 2 * w), conv(2 * w, w), conv(2 * w + 6, w)])
        self.residual = nn.Conv2d(w, 3, 1)

    def forward(self, images):
        secret = torch.ones(len(images), self.bits)
        plane = F.relu(self.dense(secret - 0.5)).view(-1, 3, SIDE, SIDE)
        given = torch.cat([plane, images - 0.5], 1)
        passed = [self.first(given)]
        for block in self.down:
            passed.append(block(passed[-1]))
        x = passed.pop()
        for up, joined in zip(self.up, self.joined):
            beside = passed.pop()
            x = joined(torch.cat([beside, up(x)] + ([] if passed else [given]), 1))
        return images + self.residual(x)


NETWORKS = {"ssba": SSBA, "input-aware": InputAware, "lira": LIRA}


def measure(a, images, best_rate):
    """Images per second by row, in the better one of the two memory layouts."""
    pixels = torch.from_numpy(images[:BATCH]).float() / 255
    rates = {}
    for name, network in NETWORKS.items():
        torch.manual_seed(0)
        made = network().eval()

        def layout(memory_format):
            model, batch = made.to(memory_format=memory_format), pixels.contiguous(memory_format=memory_format)

            def forward():
                with torch.no_grad():
                    model(batch)
                return len(batch)

            return best_rate(forward, a.repeat)

        rates["forward/" + name] = max(map(layout, (torch.contiguous_format, torch.channels_last)))
    return rates
