"""Files of PyTorch, as people have them, and hostile ones: the folder ``torch/`` and ``torch_files.json``.

The JSON lists for every file the state dicts that are in it, by the keys that lead there, with key, type, shape and
bytes (hexadecimal, row-major, little-endian) of each tensor. Hostile files have the words that the error must hold.
Nothing hostile does harm when it is loaded: the commands are ``true``.
"""

import collections
import io
import json
import os
import pickle
import struct
import sys
import zipfile
import zlib

import numpy as np
import torch
from torch import nn

from goldens import output_folder

out = output_folder()
folder = out / "torch"
folder.mkdir(exist_ok=True)
expected: dict = {}


def raw(tensor):
    tensor = tensor.detach().contiguous()
    if tensor.numel() == 0:
        return ""
    return tensor.reshape(-1).view(torch.uint8).numpy().tobytes().hex()


def describe(state):
    return [[k, str(t.dtype).removeprefix("torch."), list(t.shape), raw(t)] for k, t in state.items()]


def note(name, states, **more):
    expected[name] = {"states": {path: describe(state) for path, state in states.items()}, **more}


def save(name, value, states, **options):
    more = options.pop("more", {})
    torch.save(value, folder / name, **options)
    note(name, states, **more)


# All types.
types = [
    torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.float16, torch.bfloat16, torch.float32,
    torch.float64, torch.complex64, torch.complex128, torch.bool,
]
newer = [torch.uint16, torch.uint32, torch.uint64, torch.float8_e4m3fn, torch.float8_e5m2]
numbers = torch.tensor([[0.0, 1.0, 2.5], [3.0, 64.0, 120.0]])
every = {str(t).removeprefix("torch."): numbers.to(t) for t in types}
save("types.pt", every | {str(t).removeprefix("torch."): numbers.to(t) for t in newer},
     {"": every | {str(t).removeprefix("torch."): numbers.to(t) for t in newer}})
save("types_old.pth", every, {"": every}, _use_new_zipfile_serialization=False)
for protocol in (2, 3, 4, 5):
    value = {"state_dict": collections.OrderedDict(w=numbers), "epoch": 3, "text": "größe", "big": 2**70}
    save(f"protocol{protocol}.pt", value, {"state_dict": value["state_dict"]}, pickle_protocol=protocol)
    save(f"protocol{protocol}_old.pt", value, {"state_dict": value["state_dict"]}, pickle_protocol=protocol,
         _use_new_zipfile_serialization=False)

# Views on one storage.
base = torch.arange(24.0)
views = {
    "all": base, "part": base[5:9], "every_third": base[1::3], "transposed": base.view(4, 6).t(),
    "inner": base.view(2, 3, 4)[:, 1:, ::2], "repeated": base[3:4].expand(2, 5), "scalar": base[7],
    "none": base[:0].view(0, 3), "channels_last": base.view(1, 2, 3, 4).contiguous(memory_format=torch.channels_last),
    "parameter": nn.Parameter(base[2:6].view(2, 2)),
}
save("views.pt", views, {"": views})
save("views_old.pt", views, {"": views}, _use_new_zipfile_serialization=False)


def records(name):
    with zipfile.ZipFile(folder / name) as archive:
        return [(info.filename, archive.read(info)) for info in archive.infolist()]


def pack(name, entries, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(folder / name, "w", method) as archive:
        for key, data in entries:
            archive.writestr(zipfile.ZipInfo(key, (2024, 1, 1, 0, 0, 0)), data, method)


# The same file compressed, and as a machine of the other byte order writes it: of each type one storage.
pack("deflated.pt", records("types.pt"), zipfile.ZIP_DEFLATED)
note("deflated.pt", {"": every | {str(t).removeprefix("torch."): numbers.to(t) for t in newer}})
sizes = [t.itemsize // (2 if t.is_complex else 1) for t in types]
save("types_few.pt", every, {"": every})
swapped = []
for key, data in records("types_few.pt"):
    place = key.split("/")
    if place[-2] == "data":
        size = sizes[int(place[-1])]
        data = b"".join(data[i : i + size][::-1] for i in range(0, len(data), size))
    if place[-1] == "byteorder":
        data = b"big"
    swapped.append((key, data))
pack("big_endian.pt", swapped)
note("big_endian.pt", {"": every})
del expected["types_few.pt"]
(folder / "types_few.pt").unlink()


# Whole modules, TorchScript, checkpoints of training.
class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 1, bias=False)
        self.bn = nn.BatchNorm2d(2)
        self.act = nn.ReLU()
        self.register_buffer("scratch", torch.zeros(3), persistent=False)
        self.owner = [self]

    def forward(self, x):
        return self.act(self.bn(self.conv(x)))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(Block(), Block())
        self.head = nn.Linear(2, 3)

    def forward(self, x):
        return self.head(self.body(x).mean((2, 3)))


def fill(module):
    for index, tensor in enumerate(module.state_dict().values()):
        with torch.no_grad():
            tensor.copy_((torch.arange(tensor.numel()) * 0.25 + index).view(tensor.shape).to(tensor.dtype))
    return module


net = fill(Net())
save("module.pt", net, {"": net.state_dict()}, more={"class": "__main__.Net"})
save("module_old.pth", net, {"": net.state_dict()}, _use_new_zipfile_serialization=False)


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(2, 2, 1, bias=False), nn.BatchNorm2d(2))
        self.head = nn.Linear(2, 3)

    def forward(self, x):
        return self.head(self.body(x).mean((2, 3)))


plain = fill(Plain()).eval()
torch.jit.script(plain).save(str(folder / "script.pt"))
note("script.pt", {"": plain.state_dict()}, script=True)

# A part that refers to its owner comes before the owner.
owned = fill(Plain())
owned.head.__dict__["owner"] = owned
save("owner.pt", {"head": owned.head, "model": owned},
     {"head": owned.head.state_dict(), "model": owned.state_dict()}, more={"chosen": "model"})

# Names that hold those of optimizers and averages in a word.
save("words.pt", {"clampnet": {"w": numbers}, "netEMA": {"w": numbers * 2}},
     {"clampnet": {"w": numbers}, "netEMA": {"w": numbers * 2}}, more={"chosen": "clampnet"})

optimizer = torch.optim.SGD(plain.parameters(), lr=0.1, momentum=0.9)
plain(torch.ones(1, 2, 2, 2)).sum().backward()
optimizer.step()
state = collections.OrderedDict((k, v.clone()) for k, v in plain.state_dict().items())
save("checkpoint.tar", {
    "epoch": 7, "arch": "plain", "best": np.float64(0.5), "curve": np.arange(3, dtype=np.float32),
    "names": np.array(["a", "b"]), "device": torch.device("cpu"), "size": torch.Size([1, 2]), "when": {1, 2},
    "mixed": np.array([None, 3], dtype=object), "half": np.float16(2),
    "state_dict": {f"module.{k}": v for k, v in state.items()}, "optimizer": optimizer.state_dict(),
    "ema": {k: v * 2 for k, v in state.items()},
}, {"state_dict": {f"module.{k}": v for k, v in state.items()}, "ema": {k: v * 2 for k, v in state.items()}},
    more={"chosen": "state_dict"})
save("networks.pt", {"netC": state, "netG": {"w": numbers}, "netM": {"w": numbers * 2}, "epoch_current": 1,
                     "mask": torch.ones(2, 2)},
     {"netC": state, "netG": {"w": numbers}, "netM": {"w": numbers * 2}}, more={"chosen": "netC"})
save("several.pt", {"teacher": {"w": numbers}, "student": {"w": numbers * 2}},
     {"teacher": {"w": numbers}, "student": {"w": numbers * 2}},
     more={"error": "several state dicts are in it: teacher (1 tensors), student (1 tensors)"})
save("nothing.pt", {"epoch": 3, "optimizer": optimizer.state_dict()}, {}, more={"error": "it holds no state dict"})

# Hostile files.


def hostile(name, words, data=None, **more):
    if data is not None:
        (folder / name).write_bytes(data)
    expected[name] = {"refused": words, **more}


class Call:
    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def zipped(name, program, others=()):
    pack(name, [("m/data.pkl", program), ("m/byteorder", b"little"), *others])


for name, program in {
    "reduce": b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.",
    "stack_global": b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x04true\x85R.",
    "inst": b"(S'true'\nios\nsystem\n.",
    "obj": b"\x80\x02(cos\nsystem\nX\x04\x00\x00\x00trueo.",
    "new": b"\x80\x02csubprocess\nPopen\nX\x04\x00\x00\x00true\x85\x81.",
    "new_keywords": b"\x80\x04csubprocess\nPopen\nX\x04\x00\x00\x00true\x85}\x92.",
    "build": b"\x80\x02ctorch.nn\nModule\n)\x81}X\x01\x00\x00\x00acos\nsystem\nsb.",
    "named": b"\x80\x02}X\x01\x00\x00\x00acbuiltins\neval\ns.",
    "nested_load": b"\x80\x02ctorch.storage\n_load_from_bytes\nU\x01a\x85R.",
}.items():
    zipped(f"hostile_{name}.pt", program)
    called = {"reduce": "os.system", "stack_global": "posix.system", "inst": "os.system", "obj": "os.system",
              "new": "subprocess.Popen", "new_keywords": "subprocess.Popen", "build": "os.system",
              "named": "builtins.eval", "nested_load": "torch.storage._load_from_bytes"}[name]
    hostile(f"hostile_{name}.pt", f"asks for {called}")
old = io.BytesIO()
for part in (0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}):
    pickle.dump(part, old, protocol=2)
hostile("hostile_old.pt", "asks for os.system", old.getvalue() + b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.")

# Memory and depth.
zipped("hostile_memo.pt", b"\x80\x02]q\x00" + b"".join(
    b"](" + bytes([ord("h"), i]) * 10 + b"eq" + bytes([i + 1]) + b"0" for i in range(30)) + b"0h\x1e.")
hostile("hostile_memo.pt", "more than 4,000,000 values")
zipped("hostile_deep.pt", b"\x80\x02" + b"]" * 5000 + b"a" * 4999 + b".")
hostile("hostile_deep.pt", "nested more than 100 deep")
storage = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu%btQ"


def tensor(count, offset, shape, strides):
    def number(n):
        return b"\x8a\x08" + struct.pack("<q", n)

    return (b"\x80\x02}X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n(" + storage % number(count)
            + number(offset) + b"(" + b"".join(map(number, shape)) + b"t(" + b"".join(map(number, strides))
            + b"t\x89}tRs.")


for name, words, program, data in [
    ("shape", "in a storage of 4 elements", tensor(4, 0, [5], [1]), bytes(16)),
    ("offset", "in a storage of 4 elements", tensor(4, 2, [2, 2], [2, 1]), bytes(16)),
    ("overflow", "in a storage of 4 elements", tensor(4, 0, [2**62, 4], [2**62, 2**62]), bytes(16)),
    ("repeats", "in a storage of 4 elements", tensor(4, 0, [2**40], [0]), bytes(16)),
    ("storage", "holds 16 bytes, a tensor in it ends at 4,294,967,296", tensor(2**30, 0, [2**30], [1]), bytes(16)),
    ("product", "in a storage of", tensor(2**63 - 1, 2**62, [1], [1]), bytes(16)),
    ("negative", "a storage of -4 elements", tensor(-4, 0, [0], [1]), bytes(16)),
]:
    zipped(f"hostile_{name}.pt", program, [("m/data/0", data)])
    hostile(f"hostile_{name}.pt", words)

# Zip files.
good = tensor(4, 0, [4], [1])
pack("hostile_escape.pt", [("m/data.pkl", good), ("m/../../evil", b"x"), ("m/data/0", bytes(16))])
hostile("hostile_escape.pt", "leads out of the archive: 'm/../../evil'")
pack("hostile_absolute.pt", [("m/data.pkl", good), ("/etc/evil", b"x")])
hostile("hostile_absolute.pt", "leads out of the archive")


def local(name, data, method, size, crc):
    return struct.pack("<4sHHHHHIIIHH", b"PK\x03\x04", 20, 0, method, 0, 33, crc, len(data), size, len(name), 0) + name + data


def central(name, data, method, size, crc, offset):
    return struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\x01\x02", 20, 20, 0, method, 0, 33, crc, len(data), size, len(name),
                       0, 0, 0, 0, 0, offset) + name


def ended(body, directory, count):
    return body + directory + struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, count, count, len(directory), len(body), 0)


def deflate(data):
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def one(entries):
    body, directory = b"", b""
    for name, data, method, size, crc in entries:
        directory += central(name, data, method, size, crc, len(body))
        body += local(name, data, method, size, crc)
    return ended(body, directory, len(entries))


first = local(b"m/data.pkl", good, 0, len(good), 0)
second = local(b"m/data/0", bytes(16), 0, 16, 0)
hostile("hostile_overlap.pt", "overlap", ended(
    first + second, central(b"m/data.pkl", good + second, 0, len(good + second), 0, 0)
    + central(b"m/data/0", bytes(16), 0, 16, 0, len(first)), 2))
hostile("hostile_twice.pt", "two entries m/data.pkl", one([(b"m/data.pkl", good, 0, len(good), 0)] * 2))
zeros = deflate(bytes(1 << 20))
hostile("hostile_grows.pt", "grows from", one([(b"m/data.pkl", zeros, 8, 3 << 30, 0)]))
hostile("hostile_longer.pt", "inflates past 100 bytes", one([(b"m/data.pkl", zeros, 8, 100, 0)]))
hostile("hostile_shorter.pt", "gzip", one([(b"m/data.pkl", deflate(good), 8, len(good) + 5, zlib.crc32(good))]))
hostile("hostile_checksum.pt", "gzip", one([(b"m/data.pkl", deflate(good), 8, len(good), 7)]))
hostile("hostile_count.pt", "which is not there", ended(first, central(b"m/data.pkl", good, 0, len(good), 0, 0), 60000))
hostile("hostile_cut.pt", "the directory at the end of the file is missing", (folder / "types.pt").read_bytes()[:-30])
hostile("not_torch.zip", "a zip file without data.pkl", one([(b"a.txt", b"a", 0, 1, 0)]))

(out / "torch_files.json").write_text(json.dumps(expected, indent=0, ensure_ascii=False) + "\n")
