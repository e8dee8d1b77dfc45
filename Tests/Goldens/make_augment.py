"""Goldens of the image operations: ``augment.safetensors``.

The definitions are written out here in numpy, float64, one pixel or one image at a time, after the documentation of
torchvision.transforms.functional; hues go through Python's own ``colorsys``. Resizing is torch's antialiased ``interpolate`` of
the cut-out box. Images are 4 x 3 x 8 x 10, ``0.5 + 0.5 * pattern(shape, 0.5)``; image 3 is gray, so that its chroma is 0.

    brightness, contrast, saturation     factors 0, 0.6, 1.4, 2
    hue                                  shifts -0.5, -0.1, 0.1, 0.37
    grayscale
    blur                                 sigmas 0.1, 0.7, 1.3, 2; kernel of 7, borders mirrored
    bilinear, bicubic                    boxes (top, left, height, width) below, resized to 6 x 9, cut to [0, 1]
    crop_constant, _reflect              places below: first row, first column in the image padded by 2, mirrored or not
"""

import colorsys

import numpy as np
import torch
import torch.nn.functional as F

from goldens import Book, images, output_folder

N, C, H, W = 4, 3, 8, 10
FACTORS = [0.0, 0.6, 1.4, 2.0]
SHIFTS = [-0.5, -0.1, 0.1, 0.37]
SIGMAS = [0.1, 0.7, 1.3, 2.0]
BOXES = [[0, 0, 8, 10], [2, 3, 4, 5], [1, 0, 7, 3], [5, 6, 2, 4]]
PLACES = [[2, 0, 4, 1], [2, 4, 0, 3], [0, 0, 1, 1]]


def luma(x):
    return 0.2989 * x[0] + 0.587 * x[1] + 0.114 * x[2]


def blend(a, b, f):
    return np.clip(f * a + (1 - f) * b, 0, 1)


def hue(x, shift):
    out = np.empty_like(x)
    for i in range(x.shape[1]):
        for j in range(x.shape[2]):
            h, s, v = colorsys.rgb_to_hsv(*x[:, i, j])
            out[:, i, j] = colorsys.hsv_to_rgb((h + shift) % 1.0, s, v)
    return out


def blur(x, sigma, radius=3):
    d = np.arange(-radius, radius + 1)
    k = np.exp(-0.5 * (d / sigma) ** 2)
    k = np.outer(k, k) / k.sum() ** 2
    padded = np.pad(x, ((0, 0), (radius, radius), (radius, radius)), mode="reflect")
    out = np.zeros_like(x)
    for i in range(x.shape[1]):
        for j in range(x.shape[2]):
            out[:, i, j] = (padded[:, i : i + 2 * radius + 1, j : j + 2 * radius + 1] * k).sum((1, 2))
    return out


def crop(x, place, mode):
    top, left, flip = place
    y = np.pad(x, ((0, 0), (2, 2), (2, 2)), mode=mode)[:, top : top + H, left : left + W]
    return y[:, :, ::-1] if flip else y


x = images((N, C, H, W), 0.5)
x[3] = x[3, :1]
a = x.double().numpy()


def each(operation, values):
    return torch.from_numpy(np.stack([operation(image, value) for image, value in zip(a, values)]))


def resized(mode):
    cuts = [x[i : i + 1, :, t : t + h, l : l + w].double() for i, (t, l, h, w) in enumerate(BOXES)]
    cuts = [F.interpolate(cut, (6, 9), mode=mode, antialias=True, align_corners=False) for cut in cuts]
    return torch.cat(cuts).clamp(0, 1)


book = Book()
book.add("augment", images=x, factors=torch.tensor(FACTORS), shifts=torch.tensor(SHIFTS), sigmas=torch.tensor(SIGMAS),
         boxes=torch.tensor(BOXES).float(), places=torch.tensor(PLACES))
book.add("augment", brightness=each(lambda i, f: np.clip(f * i, 0, 1), FACTORS))
book.add("augment", contrast=each(lambda i, f: blend(i, luma(i).mean(), f), FACTORS))
book.add("augment", saturation=each(lambda i, f: blend(i, luma(i), f), FACTORS))
book.add("augment", hue=each(hue, SHIFTS), blur=each(blur, SIGMAS))
book.add("augment", grayscale=torch.from_numpy(np.stack([np.repeat(luma(i)[None], 3, 0) for i in a])))
book.add("augment", bilinear=resized("bilinear"), bicubic=resized("bicubic"))
places = list(zip(*PLACES))
book.add("augment", crop_constant=each(lambda i, p: crop(i, p, "constant"), places))
book.add("augment", crop_reflect=each(lambda i, p: crop(i, p, "reflect"), places))
book.write(output_folder() / "augment.safetensors")
