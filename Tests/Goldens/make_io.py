"""Golden of a file format, written by the reference library: ``io.safetensors``.

Real tensors are 10 * pattern([2, 3], 0.5) in their dtype; signed integers are [-3, -2, -1, 0, 1, 2] * 20,
unsigned ones [0, 40, 80, 120, 160, 200], bools [0, 1, 0, 1, 1, 0]; all have the shape [2, 3].
"""

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
