"""Golden files of the image and data-set readers: ``vision/``.

Needs numpy and Pillow.
Every pixel is synthetic (a formula that the tests repeat), so nothing here carries a data set's licence.
"""
import gzip
import io
import pickle
import struct

import numpy as np
from PIL import Image

from goldens import output_folder

out = output_folder() / "vision"
out.mkdir(exist_ok=True)

# --- CIFAR python batches: 3 records, value (31 i + 7 j + j // 32) mod 256, in each pickle protocol.
i, j = np.arange(3)[:, None], np.arange(3072)[None, :]
data = ((31 * i + 7 * j + j // 32) % 256).astype(np.uint8)
for protocol in (0, 2, 4, 5):
  batch = {b"batch_label": b"testing batch 1 of 1", b"labels": [3, 0, 9], b"data": data, b"filenames": [b"a.png", b"b.png", b"c.png"]}
  (out / f"cifar10_protocol{protocol}.pkl").write_bytes(pickle.dumps(batch, protocol))
fortran = {"labels": [3, 0, 9], "data": np.asfortranarray(data)}
(out / "cifar10_fortran4.pkl").write_bytes(pickle.dumps(fortran, 4))
(out / "cifar10_fortran5.pkl").write_bytes(pickle.dumps(fortran, 5))
names = "airplane automobile bird cat deer dog frog horse ship truck".split()
(out / "cifar10_meta.pkl").write_bytes(pickle.dumps({b"num_cases_per_batch": 3, b"label_names": [n.encode() for n in names]}, 2))

# --- Plain values and arrays of every kind, for the unpickler itself.
values = {
  "none": None, "true": True, "false": False, "int": -123456, "big": 1 << 79, "float": -0.15625, "text": "caf\u00e9 \u4e2d \\ \n",
  "bytes": bytes(range(256)), "list": [1, [2, (3, 4, 5, 6)]], "tuple": (), "empty": {}, "shared": None,
  "f4": np.array([[1.5, -2.0], [0.25, 3e8]], "<f4"), "i2big": np.array([1, -2, 300], ">i2"), "scalar": np.int64(77),
  "flag": np.array([True, False]), "ints": [255, 256, 65535, 65536, 2**31 - 1, -2**31, 2**31, 2**63 - 1, -2**63],
}
shared = ["x"]
values["shared"] = [shared, shared]
for protocol in range(6):
  (out / f"values_protocol{protocol}.pkl").write_bytes(pickle.dumps(values, protocol))

# --- Images: a smooth 20 x 14 colour field, so that chroma subsampling stays small; the .raw file is Pillow's decoding.
y, x = np.mgrid[0:14, 0:20]
field = np.stack([10 + 11 * x, 240 - 12 * y, 60 + 5 * x + 4 * y], -1).astype(np.uint8)
rgb = Image.fromarray(field)


def jpeg(name, image, mode="RGB", **options):
  buffer = io.BytesIO()
  image.save(buffer, "JPEG", **options)
  (out / f"{name}.jpg").write_bytes(buffer.getvalue())
  decoded = Image.open(buffer).convert(mode)
  (out / f"{name}.raw").write_bytes(decoded.tobytes())


jpeg("colour", rgb, quality=92)
jpeg("progressive", rgb, quality=92, progressive=True)
jpeg("gray", rgb.convert("L"), mode="L", quality=92)
jpeg("cmyk", rgb.convert("CMYK"), quality=95)


def without_adobe(data):
  """The JPEG without its APP14 segment."""
  kept, at = data[:2], 2
  while data[at + 1] != 0xDA:
    length = int.from_bytes(data[at + 2:at + 4], "big")
    if data[at + 1] != 0xEE:
      kept += data[at:at + 2 + length]
    at += 2 + length
  return kept + data[at:]


plain = without_adobe((out / "cmyk.jpg").read_bytes())
(out / "cmyk_plain.jpg").write_bytes(plain)
(out / "cmyk_plain.raw").write_bytes(Image.open(io.BytesIO(plain)).convert("RGB").tobytes())


def png(name, image, expected, **options):
  image.save(out / f"{name}.png", **options)
  (out / f"{name}.raw").write_bytes(np.ascontiguousarray(expected, np.uint8).tobytes())


png("rgb", rgb, field)
alpha = np.dstack([field, (13 * x + y).astype(np.uint8)])
png("rgba", Image.fromarray(alpha), field)  # alpha is left out, as convert("RGB") does
palette = rgb.quantize(16)
png("palette", palette, np.asarray(palette.convert("RGB")))
palette.info["transparency"] = 3
png("palette_transparent", palette, np.asarray(palette.convert("RGB")), transparency=3)
gray = np.asarray(rgb.convert("L"))
png("gray8", Image.fromarray(gray), gray)
png("gray_alpha", Image.merge("LA", [Image.fromarray(gray), Image.fromarray((255 - gray).astype(np.uint8))]), gray)
bits = ((x + y) % 3 == 0)
png("gray1", Image.fromarray((bits * 255).astype(np.uint8)).convert("1", dither=0), bits * 255)
deep = (x * 2500 + y * 77).astype(np.uint16)
png("gray16", Image.fromarray(deep), deep >> 8)

# --- Other formats; .raw is convert("RGB"), for grays one channel; .alpha the opacity of those that have some.
opacity = (13 * x + y).astype(np.uint8)
opacity[:3], opacity[5:7] = 0, 255
clear = Image.fromarray(np.dstack([field, opacity]))


def tiled(pixels, orientation):
  """A TIFF of tiles of 16 x 16 gray pixels, which Pillow reads and does not write."""
  height, width = pixels.shape
  across, down = -(-width // 16), -(-height // 16)
  padded = np.zeros((16 * down, 16 * across), np.uint8)
  padded[:height, :width] = pixels
  tiles = padded.reshape(down, 16, across, 16).transpose(0, 2, 1, 3).tobytes()
  count = across * down
  entries = [(256, 3, 1, width), (257, 3, 1, height), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (274, 3, 1, orientation)]
  entries += [(277, 3, 1, 1), (322, 3, 1, 16), (323, 3, 1, 16)]
  lists = 8 + 2 + 12 * (len(entries) + 2) + 4
  data = lists + 8 * count
  entries += [(324, 4, count, lists), (325, 4, count, lists + 4 * count)]
  offsets = [data + 256 * i for i in range(count)]
  return b"".join([
    struct.pack("<2sHIH", b"II", 42, 8, len(entries)), *(struct.pack("<HHII", *entry) for entry in entries), bytes(4),
    struct.pack(f"<{2 * count}I", *offsets, *[256] * count), tiles,
  ])


def other(file, image, **options):
  image.save(out / file, **options)
  other_raw(file)


def other_raw(file):
  decoded = Image.open(out / file)
  mode = "L" if decoded.mode in ("L", "1", "LA") else "RGB"
  (out / f"{file}.raw").write_bytes(decoded.convert(mode).tobytes())
  alpha = decoded.convert("RGBA").getchannel("A")
  if alpha.getextrema()[0] < 255:
    (out / f"{file}.alpha").write_bytes(alpha.tobytes())


sixteen = rgb.quantize(16)
other("lossless.webp", rgb, lossless=True, exact=True)
other("lossy.webp", rgb, quality=90)
other("clear.webp", clear, lossless=True, exact=True)
other("rgb.bmp", rgb)
other("rgba.bmp", clear)
other("palette.bmp", sixteen)
other("gray.bmp", Image.fromarray(gray))
other("bits.bmp", Image.fromarray((bits * 255).astype(np.uint8)).convert("1", dither=0))
other("palette.gif", sixteen)
other("transparent.gif", sixteen, transparency=3)
other("interlaced.gif", sixteen, interlace=1)
for kind in ("lzw", "adobe_deflate", "packbits"):
  other(f"{kind}.tif", rgb, compression=f"tiff_{kind}" if kind != "packbits" else kind)
other("rgba.tif", clear)
other("palette.tif", sixteen, compression="packbits")
other("gray.tif", Image.fromarray(gray))
for orientation in range(2, 9):
  other(f"turned{orientation}.tif", rgb, compression="tiff_lzw", tiffinfo={274: orientation})
(out / "turned_tiles.tif").write_bytes(tiled(gray, orientation=6))
other_raw("turned_tiles.tif")
other("clear.png", clear)
other("clear_gray.png", Image.merge("LA", [Image.fromarray(gray), Image.fromarray(opacity)]))
sixteen.info["transparency"] = 3
other("clear_palette.png", sixteen, transparency=3)

# --- A small zip bomb.
(out / "zeros.gz").write_bytes(gzip.compress(bytes(10 << 20), mtime=0))
