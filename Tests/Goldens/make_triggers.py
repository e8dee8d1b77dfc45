"""Goldens of triggers on small images: ``triggers.safetensors`` with settings in ``triggers.json``.

Images are 0.5 + 0.5 * pattern([2, 3, 8, 8], 0.5). The trigger is applied to pixels in [0, 1], then the result is
quantised: uint8(round(255 * x)), halves to the even neighbour. ``<case>/stamped`` is float32 before quantisation,
``<case>/quantised`` is uint8. Cases ``*_from_uint8`` start from quantised / 255 instead, as a data set in memory does.

badnets_white: the bottom-right 3x3 pixels become 1 in every channel.
badnets_checkerboard: the bottom-right 3x3 pixels become [[0,0,1],[0,1,0],[1,0,1]]; zeros are stamped too (black).
badnets_checkerboard_ones: only the ones are stamped, the other pixels of the patch keep the image.
badnets_white_top_left: as badnets_white, in the other corner.
blended: 0.8 x + 0.2 t in float32, t = 0.5 + 0.5 * pattern([3, 8, 8], 0.1).
"""

import torch

from goldens import Book, images, output_folder, write_json

book = Book()
CHECKER = torch.tensor([[0.0, 0, 1], [0, 1, 0], [1, 0, 1]])


def quantise(x):
    scaled = x * 255
    assert ((scaled - scaled.floor() - 0.5).abs() > 1e-4).all(), "a value sits on a rounding tie; choose another phase"
    return torch.round(scaled).clamp(0, 255).to(torch.uint8)


def patch(x, values, mask, top, left):
    x = x.clone()
    h, w = values.shape
    area = x[:, :, top : top + h, left : left + w]
    x[:, :, top : top + h, left : left + w] = torch.where(mask.bool(), values, area)
    return x


TRIGGERS = {
    "badnets_white": lambda x: patch(x, torch.ones(3, 3), torch.ones(3, 3), 5, 5),
    "badnets_white_top_left": lambda x: patch(x, torch.ones(3, 3), torch.ones(3, 3), 0, 0),
    "badnets_checkerboard": lambda x: patch(x, CHECKER, torch.ones(3, 3), 5, 5),
    "badnets_checkerboard_ones": lambda x: patch(x, CHECKER, CHECKER, 5, 5),
    "blended": lambda x: 0.8 * x + 0.2 * images((3, 8, 8), 0.1),
}

x = images((2, 3, 8, 8), 0.5)
book.add("clean", pixels=x, quantised=quantise(x))
for case, trigger in TRIGGERS.items():
    y = trigger(x)
    book.add(case, stamped=y, quantised=quantise(y))
    book.add(f"{case}_from_uint8", quantised=quantise(trigger(quantise(x).float() / 255)))

# 0.3 and 0.7 land exactly on a half in float32: half to even differs from half away from zero there.
ties = torch.tensor([0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0])
book.add("ties", pixels=ties, quantised=torch.round(ties * 255).to(torch.uint8))

out = output_folder()
book.write(out / "triggers.safetensors")
write_json(out / "triggers.json", {
    "images": {"shape": [2, 3, 8, 8], "phase": 0.5},
    "quantise": "uint8(round_half_even(255 * x))",
    "cases": {
        "badnets_white": {"kind": "badnets", "patch": [[1, 1, 1]] * 3, "top": 5, "left": 5, "mask": "all"},
        "badnets_white_top_left": {"kind": "badnets", "patch": [[1, 1, 1]] * 3, "top": 0, "left": 0, "mask": "all"},
        "badnets_checkerboard": {"kind": "badnets", "patch": CHECKER.int().tolist(), "top": 5, "left": 5, "mask": "all"},
        "badnets_checkerboard_ones": {"kind": "badnets", "patch": CHECKER.int().tolist(), "top": 5, "left": 5, "mask": "ones"},
        "blended": {"kind": "blended", "alpha": 0.2, "trigger": {"shape": [3, 8, 8], "phase": 0.1}},
    },
})
