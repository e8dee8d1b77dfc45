#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <array>
#include <vector>

#include "include/ct_augment.h"
#include "shim.h"

using namespace ct;

namespace {

const std::array<float, 256> &byteToFloat() {
  static const std::array<float, 256> table = [] {
    std::array<float, 256> t{};
    for (int i = 0; i < 256; ++i) t[i] = static_cast<float>(i) * static_cast<float>(1 / 255.0);
    return t;
  }();
  return table;
}
inline float value(uint8_t v, const float *table) { return table[v]; }
inline float value(float v, const float *) { return v; }

// The border's mode besides 0, which is zeros.
constexpr int reflected = 1;

/// Where output position `i` of a crop that starts at `first` of the padded image reads: a position in the image, or -1 for the border.
inline int64_t source(int64_t i, int64_t first, int64_t padding, int64_t size, int mode) {
  int64_t at = i + first - padding;
  if (at >= 0 && at < size) return at;
  if (mode != reflected) return -1;
  return at < 0 ? -at : 2 * (size - 1) - at;
}

template <class T>
void cropFlip(const at::Tensor &images, const int64_t *indices, const int64_t *places, int64_t count, int64_t padding, int mode,
              float *out) {
  const int64_t C = images.size(1), H = images.size(2), W = images.size(3);
  const int64_t sn = images.stride(0), sc = images.stride(1), sh = images.stride(2), sw = images.stride(3);
  const T *data = values<T>(images);
  const float *table = byteToFloat().data();
  at::parallel_for(0, count, 8, [&](int64_t begin, int64_t end) {
    std::vector<int64_t> columns(W);
    for (int64_t b = begin; b < end; ++b) {
      const int64_t top = places[b], left = places[count + b];
      const bool flip = places[2 * count + b] != 0;
      // Columns in steps of the image's memory; -1 is the border.
      for (int64_t j = 0; j < W; ++j) {
        const int64_t at = source(flip ? W - 1 - j : j, left, padding, W, mode);
        columns[j] = at < 0 ? -1 : at * sw;
      }
      for (int64_t i = 0; i < H; ++i) {
        float *row = out + (b * H + i) * W * C;
        const int64_t y = source(i, top, padding, H, mode);
        if (y < 0) {
          std::fill(row, row + W * C, 0.0f);
          continue;
        }
        const T *line = data + indices[b] * sn + y * sh;
        for (int64_t j = 0; j < W; ++j) {
          const int64_t x = columns[j];
          for (int64_t c = 0; c < C; ++c) row[j * C + c] = x < 0 ? 0.0f : value(line[x + c * sc], table);
        }
      }
    }
  });
}

}  // namespace

extern "C" {

CTTensor ct_crop_flip(CTTensor images, CTTensor indices, CTTensor places, int64_t padding, int mode) {
  return tensor([&] {
    const at::Tensor &x = get(images);
    const at::Tensor rows = get(indices).contiguous(), where = get(places).contiguous();
    const int64_t B = rows.numel();
    TORCH_CHECK(x.is_cpu() && x.dim() == 4 && (x.scalar_type() == at::kByte || x.scalar_type() == at::kFloat),
                "crops are taken from N x C x H x W images of uint8 or float32 on the CPU");
    TORCH_CHECK(rows.is_cpu() && rows.scalar_type() == at::kLong && where.is_cpu() && where.scalar_type() == at::kLong,
                "indices and places must be int64 on the CPU");
    TORCH_CHECK(where.dim() == 2 && where.size(0) == 3 && where.size(1) == B, "places must be 3 x ", B);
    TORCH_CHECK(padding >= 0 && (mode != reflected || padding < std::min(x.size(2), x.size(3))), "a border of ", padding,
                " pixels cannot mirror an image of ", x.size(2), " x ", x.size(3));
    const int64_t *r = values<int64_t>(rows), *p = values<int64_t>(where);
    for (int64_t b = 0; b < B; ++b) TORCH_CHECK(r[b] >= 0 && r[b] < x.size(0), "index ", r[b], " is not below ", x.size(0));
    for (int64_t b = 0; b < 2 * B; ++b)
      TORCH_CHECK(p[b] >= 0 && p[b] <= 2 * padding, "place ", p[b], " lies outside the border of ", padding);
    at::Tensor out = at::empty({B, x.size(1), x.size(2), x.size(3)}, x.options().dtype(at::kFloat), at::MemoryFormat::ChannelsLast);
    float *to = out.mutable_data_ptr<float>();
    if (x.scalar_type() == at::kByte)
      cropFlip<uint8_t>(x, r, p, B, padding, mode, to);
    else
      cropFlip<float>(x, r, p, B, padding, mode, to);
    return out;
  });
}

}  // extern "C"
