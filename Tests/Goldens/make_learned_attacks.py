"""Goldens of attacks that learn something: ``learned_attacks.safetensors``. Independent of Antidote: torch.autograd alone.

SSBA: the networks of StegaStamp for 3 x 9 x 10 images (sizes that do not halve), 5 bits, width 2; encoder and decoder filled with phase
offsets 0.3 and 0.6; the decoder's map.bias is [1, 0, 0, 0, 1, 0] + 0.1 pattern([6], 0.5). x = images([3, 3, 9, 10], 0.5), the secrets
s = (pattern([3, 5], 0.1) > 0). The residual is used a tenth as large as the filled network gives it (residual.* times 0.1).
    ssba/residual                   what the encoder adds
    ssba/logits                     of the decoder, for the clipped sum
    ssba/secret, image, perceptual  the losses; accuracy the share of the bits read right
    ssba/grad                       of 3 image + 0.7 perceptual + 1.3 secret at all parameters, encoder's before decoder's, in state_dict order
    ssba/stamped                    uint8 images of the first secret for x rounded to bytes

TrojanNN: the network of make_adaptive_attacks.py (PreActResNet18 of width 4, phase offset 3.8, weights times .7, linear.weight times 8),
evaluation mode. Image images([1, 3, 16, 16], 0.5); patch rows 9-13, columns 8-12.
    trojan/neurons        the 3 inputs of the last layer with the largest sums of |w|
    trojan/cost, slope    (v - f_n(x))^2 summed over the first two, v = twice and three times their activations; gradient at the image
    trojan/activations    theirs
    trojan/moved          the image after one step of mean length .02 in the patch, clipped

LF: with the same network, image images([1, 3, 16, 16], 1.1); its class is left for class 0, in three steps.
    lf/deepfool           the sum of DeepFool's steps, overshoot .02, 50 steps at most
    lf/nearest            the same over the nearest border
    lf/updated            v = .1 pattern([1, 3, 12, 16], .4) moved by .3 pattern(.., .9): smoothed by a Gaussian of deviation 2 with
                          5 taps on each side and zeros around, before and after it is added; from 0 to .25

Label-Consistent, latent form: an autoencoder for 3 x 9 x 10 images, width 2, code of 4 numbers, phase offset 0.2, whose images are
images([2, 3, 9, 10], 0.5).
    autoencoder/loss, grad   mean squared error, and its gradient at all parameters in state_dict order
    autoencoder/mixed        the image of .7 of the first's code and .3 of the second's
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from architectures import PreActResNet18
from goldens import Book, fill, images, output_folder, pattern

book = Book()


# SSBA -----------------------------------------------------------------------------------------------------------------

class Encoder(nn.Module):
    def __init__(self, bits, channels, height, width, w):
        super().__init__()
        self.size = (channels, height, width)
        self.secret_dense = nn.Linear(bits, channels * height * width)
        for name, (i, o, k) in dict(
            conv1=(2 * channels, w, 3), conv2=(w, w, 3), conv3=(w, 2 * w, 3), conv4=(2 * w, 4 * w, 3), conv5=(4 * w, 8 * w, 3),
            up6=(8 * w, 4 * w, 2), conv6=(8 * w, 4 * w, 3), up7=(4 * w, 2 * w, 2), conv7=(4 * w, 2 * w, 3), up8=(2 * w, w, 2),
            conv8=(2 * w, w, 3), up9=(w, w, 2), conv9=(2 * w + 2 * channels, w, 3), residual=(w, channels, 1),
        ).items():
            setattr(self, name, nn.Conv2d(i, o, k))

    def forward(self, x, s):
        def same(conv, t, stride=1):
            t = F.pad(t, (1, 1, 1, 1))
            return F.relu(F.conv2d(t, conv.weight, conv.bias, stride=stride))

        def up(conv, t, like):
            rows = [r * t.shape[2] // like.shape[2] for r in range(like.shape[2])]
            columns = [c * t.shape[3] // like.shape[3] for c in range(like.shape[3])]
            return F.relu(conv(F.pad(t[:, :, rows][:, :, :, columns], (0, 1, 0, 1))))

        plane = F.relu(self.secret_dense(s - 0.5)).view(len(x), *self.size)
        given = torch.cat([plane, x - 0.5], 1)
        a = same(self.conv1, given)
        b = same(self.conv2, a, 2)
        c = same(self.conv3, b, 2)
        d = same(self.conv4, c, 2)
        e = same(self.conv5, d, 2)
        t = same(self.conv6, torch.cat([d, up(self.up6, e, d)], 1))
        t = same(self.conv7, torch.cat([c, up(self.up7, t, c)], 1))
        t = same(self.conv8, torch.cat([b, up(self.up8, t, b)], 1))
        t = same(self.conv9, torch.cat([a, up(self.up9, t, a), given], 1))
        return self.residual(t)


class Decoder(nn.Module):
    def __init__(self, bits, channels, height, width, w):
        super().__init__()

        def area(halvings):
            sides = [height, width]
            for _ in range(halvings):
                sides = [-(-side // 2) for side in sides]
            return sides[0] * sides[1]

        def conv(i, o, stride):
            return nn.Conv2d(i, o, 3, stride=stride, padding=1)

        self.place = nn.ModuleList([conv(channels, w, 2), conv(w, 2 * w, 2), conv(2 * w, 4 * w, 2)])
        self.place_dense = nn.Linear(4 * w * area(3), 4 * w)
        self.map = nn.Linear(4 * w, 6)
        self.convs = nn.ModuleList([
            conv(channels, w, 2), conv(w, w, 1), conv(w, 2 * w, 2), conv(2 * w, 2 * w, 1), conv(2 * w, 2 * w, 2), conv(2 * w, 4 * w, 2),
            conv(4 * w, 4 * w, 2)])
        self.dense = nn.Linear(4 * w * area(5), 16 * w)
        self.secret = nn.Linear(16 * w, bits)

    def forward(self, x):
        x = x - 0.5
        t = x
        for conv in self.place:
            t = F.relu(conv(t))
        theta = self.map(F.relu(self.place_dense(t.flatten(1)))).view(-1, 2, 3)
        t = F.grid_sample(x, F.affine_grid(theta, x.shape, align_corners=False), align_corners=False)
        for conv in self.convs:
            t = F.relu(conv(t))
        return self.secret(F.relu(self.dense(t.flatten(1))))


def dissimilarity(a, b, side=7):
    """1 - SSIM, window by window."""
    values = []
    for r in range(a.shape[2] - side + 1):
        for c in range(a.shape[3] - side + 1):
            p, q = (t[:, :, r : r + side, c : c + side].flatten(2) for t in (a, b))
            mp, mq = p.mean(2), q.mean(2)
            vp, vq = p.var(2, unbiased=False), q.var(2, unbiased=False)
            cov = ((p - mp[..., None]) * (q - mq[..., None])).mean(2)
            values.append((2 * mp * mq + 1e-4) * (2 * cov + 9e-4) / ((mp**2 + mq**2 + 1e-4) * (vp + vq + 9e-4)))
    return 1 - torch.stack(values).mean()


size = (3, 9, 10)
encoder, decoder = fill(Encoder(5, *size, 2), 0.3), fill(Decoder(5, *size, 2), 0.6)
with torch.no_grad():
    for p in encoder.residual.parameters():
        p.mul_(0.1)
    decoder.map.bias.copy_(torch.tensor([1.0, 0, 0, 0, 1, 0]) + 0.1 * pattern((6,), 0.5))
x, s = images((3, *size), 0.5), (pattern((3, 5), 0.1) > 0).float()
residual = encoder(x, s)
hidden = (x + residual).clamp(0, 1)
logits = decoder(hidden)
losses = dict(secret=F.binary_cross_entropy_with_logits(logits, s), image=(residual**2).mean(), perceptual=dissimilarity(x, hidden))
total = 3 * losses["image"] + 0.7 * losses["perceptual"] + 1.3 * losses["secret"]
weights = [*encoder.parameters(), *decoder.parameters()]
gradients = torch.autograd.grad(total, weights)
assert all(g.abs().max() > 0 for g in gradients), "a dead unit hides what is wrong with it"
book.add("ssba", residual=residual, logits=logits, **losses, grad=torch.cat([g.flatten() for g in gradients]))
book.add("ssba", accuracy=((logits > 0) == (s > 0.5)).float().mean())
stored = torch.round(x * 255)
with torch.no_grad():
    marked = (stored / 255 + encoder(stored / 255, s[:1].expand(3, 5))).clamp(0, 1) * 255
assert ((marked - marked.floor() - 0.5).abs() > 1e-4).all(), "a rounding tie"
book.add("ssba", stamped=torch.round(marked).to(torch.uint8))

# TrojanNN -------------------------------------------------------------------------------------------------------------

model = fill(PreActResNet18(width=4), 3.8).eval()
with torch.no_grad():
    for name, p in model.named_parameters():
        if p.dim() >= 2:
            p.mul_(8.0 if name == "linear.weight" else 0.7)
    # Every matrix of the pattern has rank 2: sums of |w| that differ.
    model.linear.weight.mul_(1 + 0.2 * pattern((1, 32), 0.9))
sums = model.linear.weight.abs().sum(0)
neurons = torch.argsort(sums, descending=True)[:3]
image = images((1, 3, 16, 16), 0.5).requires_grad_()
seen = {}
handle = model.linear.register_forward_pre_hook(lambda module, given: seen.update(penultimate=given[0]))
model(image)
handle.remove()
activations = seen["penultimate"][0, neurons[:2]]
target = activations.detach() * torch.tensor([2.0, 3.0])
cost = ((target - activations) ** 2).sum()
(slope,) = torch.autograd.grad(cost, image)
inside = slope[:, :, 9:14, 8:13]
moved = image.detach().clone()
moved[:, :, 9:14, 8:13] -= 0.02 * inside / inside.abs().mean()
book.add("trojan", neurons=neurons, cost=cost, slope=slope, activations=activations, moved=moved.clamp(0, 1))

# LF -------------------------------------------------------------------------------------------------------------------

def deepfool(x, target, limit=50):
    label = int(model(x)[0].argmax())
    total, moved = torch.zeros_like(x), x
    for _ in range(limit):
        at = moved.detach().requires_grad_()
        logits = model(at)[0]
        now = int(logits.argmax())
        if now == target or (target is None and now != label):
            return total * 1.02
        slopes = [torch.autograd.grad(value, at, retain_graph=True)[0] for value in logits]
        ways = []
        for k in [target] if target is not None else [k for k in range(10) if k != label]:
            w = slopes[k] - slopes[label]
            gap = abs(float(logits[k].detach() - logits[label].detach()))
            ways.append((gap / float(w.norm()), (gap + 1e-4) / float(w.norm()) ** 2 * w))
        total = total + min(ways, key=lambda way: way[0])[1]
        moved = x + 1.02 * total
    raise AssertionError("it does not arrive")


x = images((1, 3, 16, 16), 1.1)
assert int(model(x)[0].argmax()) != 0
book.add("lf", deepfool=deepfool(x, 0), nearest=deepfool(x, None))

taps = np.exp(-0.5 * (np.arange(-5, 6) / 2.0) ** 2)
window = np.outer(taps, taps) / taps.sum() ** 2


def smooth(v):
    wide = np.pad(v, ((0, 0), (5, 5), (5, 5)))
    return np.array([[[(plane[r:r + 11, c:c + 11] * window).sum() for c in range(16)] for r in range(12)] for plane in wide])


v, r = (pattern((3, 12, 16), phase).numpy().astype(np.float64) for phase in (0.4, 0.9))
v = smooth(0.1 * v + smooth(0.3 * r))
book.add("lf", updated=torch.from_numpy((v - v.min()) / (v.max() - v.min()) * 0.25))


# Label-Consistent -----------------------------------------------------------------------------------------------------

class Autoencoder(nn.Module):
    def __init__(self, w, code, channels):
        super().__init__()
        self.down = nn.ModuleList([nn.Conv2d(i, o, 3, 2, 1) for i, o in ((channels, w), (w, 2 * w), (2 * w, 4 * w))])
        self.code = nn.Linear(4 * w * 2 * 2, code)
        self.dense = nn.Linear(code, 4 * w * 2 * 2)
        self.up = nn.ModuleList([nn.Conv2d(i, o, 3, 1, 1) for i, o in ((4 * w, 2 * w), (2 * w, w), (w, channels))])

    def encode(self, x):
        x = x - 0.5
        for conv in self.down:
            x = F.relu(conv(x))
        return self.code(x.flatten(1))

    def decode(self, z):
        x = F.relu(self.dense(z)).view(len(z), -1, 2, 2)
        x = F.relu(self.up[0](F.interpolate(x, size=(3, 3))))
        x = F.relu(self.up[1](F.interpolate(x, size=(5, 5))))
        return torch.sigmoid(self.up[2](F.interpolate(x, size=(9, 10))))


coder, x = fill(Autoencoder(2, 4, 3), 0.2), images((2, 3, 9, 10), 0.5)
codes = coder.encode(x)
loss = ((coder.decode(codes) - x) ** 2).mean()
found = torch.autograd.grad(loss, list(coder.parameters()))
with torch.no_grad():
    mixed = coder.decode(0.7 * codes[:1] + 0.3 * codes[1:])
book.add("autoencoder", loss=loss, grad=torch.cat([g.flatten() for g in found]), mixed=mixed)

out = output_folder()
book.write(out / "learned_attacks.safetensors")
