"""Closed forms and file functions shared by every ``make_*.py``.

The pattern
    pattern(shape, phase, scale=1): at the row-major flat index i (from 0)
        float32( sin(0.7 * i + phase) )  *  float32(scale)
    The sine is taken in float64 (the C library's ``sin``), rounded to float32, and then multiplied
    in float32. Images are ``0.5 + 0.5 * pattern(shape, phase)``, in float32, so that they lie in [0, 1].

The filling rule
    The floating tensors of a module are numbered j = 0, 1, 2, ... over ``state_dict()`` in its order,
    running statistics included and ``num_batches_tracked`` left out. With phase = j + phase_offset
    (the offset is 0 unless a case says otherwise) tensor j becomes

        two or more dimensions   pattern(shape, phase, sqrt(2 / fan_in)),   fan_in = numel / shape[0]
        1-D ``*.weight``         1 + 0.1 * pattern(shape, phase)
        ``*.bias``               0.1 * pattern(shape, phase)
        ``*.running_mean``       0.1 * pattern(shape, phase)
        ``*.running_var``        1 + 0.5 * |pattern(shape, phase)|

    sqrt(2 / fan_in) is computed in float64 and rounded to float32 once. A transposed convolution has
    its weight as [in, out/groups, kh, kw]; the same formula is applied to that shape.
    ``num_batches_tracked`` stays 0.

Every matrix of this pattern has rank 2 (sine of a sum), which is worth remembering before reading
meaning into a singular value.

The noise
    Deep narrow networks lose their input in matrices of such low rank. Where a case says so, the rule takes

        noise(shape, phase): at the row-major flat index i   2 frac(43758.5453 sin(12.9898 (i + 1) + 78.233 phase)) - 1

    in float64, rounded to float32, in the place of pattern(shape, phase), and sqrt(6 / fan_in) for sqrt(2 / fan_in).

The loss of the layer cases
    sum(output * pattern(output.shape, 0.3)); gradients are taken of that number.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)

LIMIT = 300_000  # bytes a file may take


def pattern(shape, phase: float, scale: float = 1.0) -> torch.Tensor:
    shape = tuple(shape)
    count = math.prod(shape)
    values = np.fromiter((math.sin(0.7 * i + phase) for i in range(count)), np.float64, count)
    result = torch.from_numpy(values.astype(np.float32)).reshape(shape)
    return result if scale == 1.0 else result * torch.tensor(scale, dtype=torch.float32)


def noise(shape, phase: float, scale: float = 1.0) -> torch.Tensor:
    count = math.prod(shape)
    values = np.fromiter((43758.5453 * math.sin(12.9898 * (i + 1) + 78.233 * phase) for i in range(count)), np.float64, count)
    return torch.from_numpy((2 * (values - np.floor(values)) - 1).astype(np.float32)).reshape(tuple(shape)) * torch.tensor(scale, dtype=torch.float32)


def images(shape, phase: float) -> torch.Tensor:
    return 0.5 + 0.5 * pattern(shape, phase)


def filled(name: str, shape, phase: float, noisy: bool = False) -> torch.Tensor:
    """Tensor ``name`` of a state dict by the filling rule."""
    shape = tuple(shape)
    if len(shape) >= 2:
        fan_in = math.prod(shape) / shape[0]
        return noise(shape, phase, math.sqrt(6.0 / fan_in)) if noisy else pattern(shape, phase, math.sqrt(2.0 / fan_in))
    last = name.rsplit(".", 1)[-1]
    p = noise(shape, phase) if noisy else pattern(shape, phase)
    if last == "weight":
        return 1 + 0.1 * p
    if last in ("bias", "running_mean"):
        return 0.1 * p
    if last == "running_var":
        return 1 + 0.5 * p.abs()
    raise ValueError(f"the filling rule does not cover {name} {shape}")


def fill(module: torch.nn.Module, phase_offset: float = 0.0, noisy: bool = False) -> torch.nn.Module:
    with torch.no_grad():
        j = 0
        for name, tensor in module.state_dict().items():
            if not tensor.is_floating_point():
                continue
            tensor.copy_(filled(name, tensor.shape, j + phase_offset, noisy))
            j += 1
    return module


def weighted_sum(output: torch.Tensor) -> torch.Tensor:
    return (output * pattern(output.shape, 0.3)).sum()


class Book:
    """Collects ``case/tensor`` entries and writes them."""

    def __init__(self):
        self.tensors: dict[str, torch.Tensor] = {}

    def add(self, case: str, **tensors):
        for name, value in tensors.items():
            key = f"{case}/{name.replace('__', '/')}"
            assert key not in self.tensors, f"{key} is written twice"
            value = torch.as_tensor(value).detach()
            if value.dtype == torch.float64:
                value = value.float()
            if value.is_floating_point():
                assert torch.isfinite(value).all(), f"{key} is not finite"
            self.tensors[key] = value.contiguous().clone()

    def write(self, path: Path):
        save_file(self.tensors, str(path))
        path.chmod(0o644)
        checked(path)


def write_json(path: Path, value):
    text = json.dumps(value, indent=1)
    # Innermost lists of numbers go on one line.
    text = re.sub(r"\[\s+([^\[\]{}\"]*?)\s+\]", lambda m: "[" + re.sub(r"\s*\n\s*", " ", m.group(1)) + "]", text)
    path.write_text(text + "\n")
    checked(path)


def checked(path: Path):
    size = os.path.getsize(path)
    assert size <= LIMIT, f"{path} takes {size} bytes; the limit is {LIMIT}"
    print(f"{path.name}: {size} bytes")


def output_folder() -> Path:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent, help="folder for the goldens")
    folder = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    return folder
