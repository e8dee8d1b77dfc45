"""Goldens of file formats, written by the reference libraries: ``io.safetensors`` and ``io_*.npy``.

Real tensors are 10 * pattern([2, 3], 0.5) in their dtype; signed integers are [-3, -2, -1, 0, 1, 2] * 20,
unsigned ones [0, 40, 80, 120, 160, 200], bools [0, 1, 0, 1, 1, 0]; all have the shape [2, 3].
"""

import numpy as np
import torch
from safetensors.torch import save_file

from goldens import output_folder, pattern

out = output_folder()
real = 10 * pattern((2, 3), 0.5)
signed = (torch.arange(-3, 3) * 20).reshape(2, 3)
tensors = {
    "bool": torch.tensor([[0, 1, 0], [1, 1, 0]]).bool(),
    "uint8": torch.arange(0, 201, 40).reshape(2, 3).to(torch.uint8),
    "int8": signed.to(torch.int8),
    "int16": signed.to(torch.int16),
    "int32": signed.to(torch.int32),
    "int64": signed,
    "float16": real.half(),
    "bfloat16": real.bfloat16(),
    "float32": real,
    "float64": real.double(),
    "empty": torch.zeros(0, 3),
    "scalar": torch.tensor(-1.5, dtype=torch.float64),
    'größe "重み" \\ \t': torch.tensor([7], dtype=torch.uint8),
}
save_file(tensors, str(out / "io.safetensors"), metadata={"format": "pt", "note": 'zwei\n"Zeilen" \\ 重み \x01'})
(out / "io.safetensors").chmod(0o644)


def npy(name, array, version=None):
    with open(out / f"io_{name}.npy", "wb") as file:
        np.lib.format.write_array(file, array, version=version)


for name in ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"):
    npy(name, tensors[name].numpy())
npy("fortran", np.asfortranarray(np.arange(24, dtype=np.int32).reshape(2, 3, 4)))
npy("version2", tensors["float32"].numpy(), (2, 0))
npy("version3", tensors["float32"].numpy(), (3, 0))
npy("scalar", np.array(-1.5))
npy("empty", np.zeros((0, 3), np.float32))
npy("big_endian", tensors["float32"].numpy().astype(">f4"))
npy("structured", np.array([(1, 2.0)], dtype=[("a", "<i4"), ("b", "<f4")]))
npy("uint16", np.array([1, 2], np.uint16))
