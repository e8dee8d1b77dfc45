"""Lists the golden tensors that no test asks for.

    ANTIDOTE_GOLDEN_READS=/tmp/reads swift test ... && python3 unread.py /tmp/reads
"""

import sys
from pathlib import Path

from safetensors import safe_open

read = set(Path(sys.argv[1]).read_text().splitlines())
for file in sorted(Path(__file__).parent.glob("*.safetensors")):
    if file.stem == "io":  # read as a whole
        continue
    with safe_open(file, "pt") as tensors:
        for key in tensors.keys():
            if f"{file.stem}/{key}" not in read:
                print(f"{file.stem}/{key}")
