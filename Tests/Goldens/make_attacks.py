"""Goldens of closed-form triggers: ``attacks.safetensors`` with the cases in ``attacks.json``.

Images are uint8(round(255 * (0.5 + 0.5 * pattern([3, 3, 16, 16], 0.5)))); every trigger is computed in float64 with numpy,
one pixel or image at a time where that is the plain way, and quantised: uint8(round_half_even), clipped. Draws come from
torch.Generator().manual_seed(7), whose numbers Antidote's generators give too, in the order that the comments name.

<case>/stamped is what a stored image becomes.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F

from goldens import Book, images, output_folder, pattern, write_json

book = Book()
N, C, H, W = 3, 3, 16, 16
bytes_ = torch.round(images((N, C, H, W), 0.5) * 255).to(torch.uint8)
x = bytes_.numpy().astype(np.float64)
book.add("clean", stored=bytes_)


def add(case, values):
    rounded = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    book.add(case, stamped=torch.from_numpy(np.ascontiguousarray(rounded)))


def generator():
    return torch.Generator().manual_seed(7)


# SIG: + 40 sin(2 pi j 6 / W), j the column.
signal = np.array([40 * math.sin(2 * math.pi * j * 6 / W) for j in range(W)])
add("sig", x + signal[None, None, None, :])

# WaNet: the field from pattern([1, 2, 4, 4], 0.2); sampling by hand.
numbers = pattern((1, 2, 4, 4), 0.2)
field = F.interpolate(numbers / numbers.abs().mean(), size=(H, W), mode="bicubic", align_corners=True).numpy().astype(np.float64)


def warp(values, px, py):
    """values C x H x W at places px, py in [-1, 1], corners aligned, bilinear."""
    out = np.zeros_like(values)
    for r in range(H):
        for c in range(W):
            u, v = (px[r, c] + 1) / 2 * (W - 1), (py[r, c] + 1) / 2 * (H - 1)
            u0, v0 = min(int(math.floor(u)), W - 2), min(int(math.floor(v)), H - 2)
            a, b = u - u0, v - v0
            out[:, r, c] = ((1 - a) * (1 - b) * values[:, v0, u0] + a * (1 - b) * values[:, v0, u0 + 1]
                            + (1 - a) * b * values[:, v0 + 1, u0] + a * b * values[:, v0 + 1, u0 + 1])
    return out


S = 2.5
lines_x, lines_y = np.linspace(-1, 1, W)[None, :], np.linspace(-1, 1, H)[:, None]
grid_x = np.clip(lines_x + S * field[0, 0] / W, -1, 1)
grid_y = np.clip(lines_y + S * field[0, 1] / H, -1, 1)
add("wanet", np.stack([warp(image, grid_x, grid_y) for image in x]))
# The noise of all images is one draw, N x H x W x 2 of x and y.
noise = torch.empty(N, H, W, 2).uniform_(-1, 1, generator=generator()).numpy().astype(np.float64)
add("wanet_noise", np.stack([
    warp(image, np.clip(grid_x + n[:, :, 0] / W, -1, 1), np.clip(grid_y + n[:, :, 1] / H, -1, 1))
    for image, n in zip(x, noise)]))


# BPP: a pixel at a time.
def quantise(value, levels):
    return np.rint(value / 255 * (levels - 1)) / (levels - 1) * 255


def dither(image, levels):
    image = image.copy()
    for r in range(H):
        for c in range(W):
            old = image[:, r, c].copy()
            image[:, r, c] = quantise(old, levels)
            error = old - image[:, r, c]
            for rows, columns, share in ((0, 1, 7 / 16), (1, -1, 3 / 16), (1, 0, 5 / 16), (1, 1, 1 / 16)):
                if r + rows < H and 0 <= c + columns < W:
                    image[:, r + rows, c + columns] += error * share
    return image


# Error sums in float32 and float64 may fall on different sides of a rounding border; 7 levels have none here.
dithered = np.stack([dither(image, 7) for image in x])
add("bpp", dithered)
add("bpp_plain", quantise(x, 7))
# The residual of another image: in the order of a drawn permutation, each takes its predecessor's.
order = torch.randperm(N, generator=generator()).tolist()
residual = np.clip(dithered, 0, 255) - x
other = {order[i]: order[i - 1] for i in range(N)}
add("bpp_negative", np.stack([x[i] + residual[other[i]] for i in range(N)]))

# Label-Consistent: [[0,0,1],[0,1,0],[1,0,1]] bottom right, mirrored into the other corners.
corner = np.array([[0, 0, 255], [0, 255, 0], [255, 0, 255.0]])
for case, weight in (("corners", 1.0), ("corners_weak", 80 / 255)):
    y = x.copy()
    for rows, columns, patch in ((slice(-3, None), slice(-3, None), corner), (slice(-3, None), slice(0, 3), corner[:, ::-1]),
                                 (slice(0, 3), slice(-3, None), corner[::-1]), (slice(0, 3), slice(0, 3), corner[::-1, ::-1])):
        y[:, :, rows, columns] = (1 - weight) * y[:, :, rows, columns] + weight * patch
    add(case, y)

# Adaptive-Patch: 4 x 4 patches pattern k = 0.5 + 0.5 pattern([3, 4, 4], k), in the corners bottom right, top left, top
# right, bottom left. Training: one for each image, by one draw of N numbers below 4. Test: the first and the third.
patches = [images((3, 4, 4), float(k)).numpy().astype(np.float64) * 255 for k in range(4)]
places = [(H - 4, W - 4), (0, 0), (0, W - 4), (H - 4, 0)]
weights = [0.5, 0.2, 0.5, 0.3]


def put(image, k, weight):
    r, c = places[k]
    image[:, r:r + 4, c:c + 4] = (1 - weight) * image[:, r:r + 4, c:c + 4] + weight * patches[k]


train, test = x.copy(), x.copy()
for i, k in enumerate(torch.randint(0, 4, (N,), generator=generator()).tolist()):
    put(train[i], k, weights[k])
for image in test:
    put(image, 0, 0.9)
    put(image, 2, 0.9)
add("adaptive_patch_train", train)
add("adaptive_patch_test", test)

# Adaptive-Blend: 3 x 3 pieces, beginning at floor(k 16 / 3) = 0, 5, 10; the 4 with the smallest of 9 drawn numbers hide.
blend = images((3, H, W), 0.1).numpy().astype(np.float64) * 255
drawn = torch.empty(N, 9).uniform_(0, 1, generator=generator()).numpy()
y = x.copy()
starts = [0, 5, 10, 16]
for i in range(N):
    hidden = set(np.argsort(drawn[i])[:4].tolist())
    for k in range(9):
        if k not in hidden:
            rows, columns = slice(starts[k // 3], starts[k // 3 + 1]), slice(starts[k % 3], starts[k % 3 + 1])
            y[i, :, rows, columns] = 0.85 * y[i, :, rows, columns] + 0.15 * blend[:, rows, columns]
add("adaptive_blend", y)

# Refool: reflections are the stored images in reverse order. Draws: image, kernel, strength, deviation, share of the first
# pulse, rows down, columns right.
g = generator()
which = torch.randint(0, N, (N,), generator=g).tolist()
kind = torch.randint(0, 3, (N, 1, 1, 1), generator=g).flatten().tolist()
strength = torch.empty(N).uniform_(0.05, 0.4, generator=g).tolist()
sigma = torch.empty(N).uniform_(1, 5, generator=g).tolist()
share = torch.empty(N).uniform_(0.5, 0.9, generator=g).tolist()
down = torch.randint(1, 5, (N, 1, 1, 1), generator=g).flatten().tolist()
right = torch.randint(1, 5, (N, 1, 1, 1), generator=g).flatten().tolist()


def blur(image, deviation, radius):
    taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / deviation) ** 2)
    taps /= taps.sum()
    for axis in (1, 2):
        width = [(radius, radius) if a == axis else (0, 0) for a in range(3)]
        padded = np.pad(image, width, mode="reflect")
        image = sum(t * np.take(padded, np.arange(k, k + image.shape[axis]), axis) for k, t in enumerate(taps))
    return image


y = x.copy()
for i in range(N):
    for k, name in ((kind[i], "refool"),):
        reflected = x[::-1][which[i]]
        if k == 1:
            reflected = blur(reflected, sigma[i], 15)
        elif k == 2:
            moved = np.zeros_like(reflected)
            moved[:, down[i]:, right[i]:] = reflected[:, :H - down[i], :W - right[i]]
            reflected = share[i] * reflected + (1 - share[i]) * moved
        y[i] = x[i] + strength[i] * reflected
add("refool", y)

# How visible: PSNR in dB, SSIM (Wang et al. 2004: Gaussian window of 11, deviation 1.5, C1 = .01^2, C2 = .03^2, windows
# inside the image, mean over channels), both means over images; L_inf in 1/255.
a, b = x / 255, y / 255
b = np.clip(np.rint(b * 255), 0, 255) / 255
window = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
window = np.outer(window, window) / window.sum() ** 2


def filtered(plane):
    return np.array([[(plane[r:r + 11, c:c + 11] * window).sum() for c in range(W - 10)] for r in range(H - 10)])


def ssim(p, q):
    mp, mq = filtered(p), filtered(q)
    vp, vq, cov = filtered(p * p) - mp ** 2, filtered(q * q) - mq ** 2, filtered(p * q) - mp * mq
    return (((2 * mp * mq + 1e-4) * (2 * cov + 9e-4)) / ((mp ** 2 + mq ** 2 + 1e-4) * (vp + vq + 9e-4))).mean()


visibility = {
    "psnr": float(np.mean([10 * math.log10(1 / ((p - q) ** 2).mean()) for p, q in zip(a, b)])),
    "ssim": float(np.mean([ssim(p[c], q[c]) for p, q in zip(a, b) for c in range(C)])),
    "linf": float(np.abs(a - b).max()),
}

out = output_folder()
book.write(out / "attacks.safetensors")
write_json(out / "attacks.json", {
    "images": {"shape": [N, C, H, W], "phase": 0.5},
    "kinds": kind,
    "visibility": visibility,
    "cases": {case: {} for case in (
        "sig", "wanet", "wanet_noise", "bpp", "bpp_plain", "bpp_negative", "corners", "corners_weak",
        "adaptive_patch_train", "adaptive_patch_test", "adaptive_blend", "refool")},
})
