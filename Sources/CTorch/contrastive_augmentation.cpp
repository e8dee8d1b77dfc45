#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "include/ct_augment.h"
#include "shim.h"

using namespace ct;

namespace {

/// The numbers drawn for one augmented image, in the order of `draws`.
struct Draw {
  float top, left, height, width, flip, jitter, brightness, contrast, saturation, hue, gray, sigma;
};
constexpr int64_t numbers = sizeof(Draw) / sizeof(float);

inline float unit(float v) { return std::min(std::max(v, 0.0f), 1.0f); }

/// The weights of source pixels for each output pixel of one axis.
struct Taps {
  std::vector<int> first, count;
  std::vector<float> weights;  // `stride` for each output pixel
  int64_t stride = 0;

  void fill(float length, int64_t outputs, bool bicubic) {
    const float step = length / static_cast<float>(outputs), spread = std::max(step, 1.0f);
    const float support = (bicubic ? 2.0f : 1.0f) * spread;
    const int last = static_cast<int>(length) - 1;
    stride = static_cast<int64_t>(2 * support) + 3;
    first.resize(outputs);
    count.resize(outputs);
    weights.resize(outputs * stride);
    for (int64_t o = 0; o < outputs; ++o) {
      const float centre = (static_cast<float>(o) + 0.5f) * step;
      const int from = std::max(0, static_cast<int>(std::floor(centre - support - 0.5f)));
      const int to = std::min({last, static_cast<int>(std::ceil(centre + support - 0.5f)), from + static_cast<int>(stride) - 1});
      float *w = weights.data() + o * stride, sum = 0;
      for (int p = from; p <= to; ++p) {
        const float d = std::fabs((static_cast<float>(p) + 0.5f - centre) / spread);
        float v;
        if (bicubic)
          v = d < 1 ? (1.5f * d - 2.5f) * d * d + 1 : d < 2 ? ((2.5f - 0.5f * d) * d - 4) * d + 2 : 0;
        else
          v = std::max(0.0f, 1 - d);
        w[p - from] = v;
        sum += v;
      }
      for (int p = from; p <= to; ++p) w[p - from] /= sum;
      first[o] = from;
      count[o] = to - from + 1;
    }
  }
};

/// Working memory of one thread. Images lie plane by plane.
struct Scratch {
  Taps rows, columns;
  std::vector<float> source, narrow, image, blurred, line, kernel;
};

template <class T> inline float pixel(T v);
template <> inline float pixel(uint8_t v) { return static_cast<float>(v) * static_cast<float>(1 / 255.0); }
template <> inline float pixel(float v) { return v; }

template <class T>
void resize(const T *data, const at::Tensor &x, const Draw &v, int64_t H, int64_t W, bool bicubic, Scratch &s) {
  const int64_t C = x.size(1), h = static_cast<int64_t>(v.height), w = static_cast<int64_t>(v.width);
  const int64_t sc = x.stride(1), sh = x.stride(2), sw = x.stride(3);
  data += static_cast<int64_t>(v.top) * sh + static_cast<int64_t>(v.left) * sw;
  s.rows.fill(v.height, H, bicubic);
  s.columns.fill(v.width, W, bicubic);
  s.source.resize(w);
  s.narrow.resize(h * W);
  for (int64_t c = 0; c < C; ++c) {
    for (int64_t i = 0; i < h; ++i) {
      for (int64_t j = 0; j < w; ++j) s.source[j] = pixel<T>(data[c * sc + i * sh + j * sw]);
      float *out = s.narrow.data() + i * W;
      for (int64_t j = 0; j < W; ++j) {
        const float *from = s.source.data() + s.columns.first[j], *weights = s.columns.weights.data() + j * s.columns.stride;
        float sum = 0;
        for (int k = 0; k < s.columns.count[j]; ++k) sum += weights[k] * from[k];
        out[v.flip != 0 ? W - 1 - j : j] = sum;
      }
    }
    for (int64_t i = 0; i < H; ++i) {
      float *out = s.image.data() + (c * H + i) * W;
      std::fill(out, out + W, 0.0f);
      for (int k = 0; k < s.rows.count[i]; ++k) {
        const float weight = s.rows.weights[i * s.rows.stride + k], *from = s.narrow.data() + (s.rows.first[i] + k) * W;
        for (int64_t j = 0; j < W; ++j) out[j] += weight * from[j];
      }
      for (int64_t j = 0; j < W; ++j) out[j] = unit(out[j]);
    }
  }
}

inline float luma(float r, float g, float b) { return r * 0.2989f + g * 0.587f + b * 0.114f; }

/// Red, green or blue of a colour: its value less its chroma times a trapezoid of the hue.
inline float channel(float value, float chroma, float hue, float turn) {
  float t = hue + turn;
  t = t < 0 ? t + 6 : t;
  t = t >= 6 ? t - 6 : t;
  t = t >= 6 ? t - 6 : t;
  return value - chroma * unit(std::min(t, 4 - t));
}

/// One of the four changes of colour, on planes of n pixels.
void recolor(int64_t change, const Draw &v, float *x, int64_t C, int64_t n) {
  float *r = x, *g = x + n, *b = x + 2 * n;
  switch (change) {
    case 0:
      for (int64_t i = 0; i < C * n; ++i) x[i] = unit(x[i] * v.brightness);
      break;
    case 1: {
      double sum = 0;
      for (int64_t i = 0; i < n; ++i) sum += C == 3 ? luma(r[i], g[i], b[i]) : x[i];
      if (C != 3)
        for (int64_t i = n; i < C * n; ++i) sum += x[i];
      const float mean = static_cast<float>(sum / static_cast<double>(C == 3 ? n : C * n)) * (1 - v.contrast);
      for (int64_t i = 0; i < C * n; ++i) x[i] = unit(x[i] * v.contrast + mean);
      break;
    }
    case 2:
      if (C != 3) break;
      for (int64_t i = 0; i < n; ++i) {
        const float gray = luma(r[i], g[i], b[i]) * (1 - v.saturation);
        r[i] = unit(r[i] * v.saturation + gray);
        g[i] = unit(g[i] * v.saturation + gray);
        b[i] = unit(b[i] * v.saturation + gray);
      }
      break;
    default:
      if (C != 3) break;
      for (int64_t i = 0; i < n; ++i) {
        const float R = r[i], G = g[i], B = b[i];
        const float value = std::max(R, std::max(G, B)), chroma = value - std::min(R, std::min(G, B));
        const float divisor = chroma == 0 ? 1 : chroma;
        const float h = value == R ? (G - B) / divisor : value == G ? 2 + (B - R) / divisor : 4 + (R - G) / divisor;
        const float hue = h + v.hue * 6;
        r[i] = channel(value, chroma, hue, 5);
        g[i] = channel(value, chroma, hue, 3);
        b[i] = channel(value, chroma, hue, 1);
      }
  }
}

/// Gaussian blur of one plane in place; borders are mirrored.
void blur(float *x, int64_t H, int64_t W, float sigma, int64_t radius, Scratch &s) {
  const int64_t taps = 2 * radius + 1;
  s.kernel.resize(taps);
  float total = 0;
  for (int64_t k = 0; k < taps; ++k) {
    const float d = static_cast<float>(k - radius) / sigma;
    total += s.kernel[k] = std::exp(-0.5f * d * d);
  }
  for (float &w : s.kernel) w /= total;
  auto mirrored = [](int64_t i, int64_t size) { return i < 0 ? -i : i >= size ? 2 * (size - 1) - i : i; };
  s.line.resize(W + 2 * radius);
  s.blurred.resize(H * W);
  for (int64_t i = 0; i < H; ++i) {
    for (int64_t j = -radius; j < W + radius; ++j) s.line[j + radius] = x[i * W + mirrored(j, W)];
    float *out = s.blurred.data() + i * W;
    std::fill(out, out + W, 0.0f);
    for (int64_t k = 0; k < taps; ++k) {
      const float w = s.kernel[k], *from = s.line.data() + k;
      for (int64_t j = 0; j < W; ++j) out[j] += w * from[j];
    }
  }
  for (int64_t i = 0; i < H; ++i) {
    float *out = x + i * W;
    std::fill(out, out + W, 0.0f);
    for (int64_t k = 0; k < taps; ++k) {
      const float w = s.kernel[k], *from = s.blurred.data() + mirrored(i + k - radius, H) * W;
      for (int64_t j = 0; j < W; ++j) out[j] += w * from[j];
    }
    for (int64_t j = 0; j < W; ++j) out[j] = unit(out[j]);
  }
}

template <class T>
void contrastiveAugmentation(const at::Tensor &images, const int64_t *indices, const Draw *chosen, int64_t count, const int64_t *order,
                      int64_t H, int64_t W, bool bicubic, int64_t radius, float *out) {
  const int64_t C = images.size(1), n = H * W;
  const T *data = values<T>(images);
  at::parallel_for(0, count, 4, [&](int64_t begin, int64_t end) {
    Scratch s;
    s.image.resize(C * n);
    float *x = s.image.data();
    for (int64_t b = begin; b < end; ++b) {
      const Draw &v = chosen[b];
      resize<T>(data + indices[b] * images.stride(0), images, v, H, W, bicubic, s);
      if (v.jitter != 0)
        for (int k = 0; k < 4; ++k) recolor(order[k], v, x, C, n);
      if (v.gray != 0 && C == 3)
        for (int64_t i = 0; i < n; ++i) x[i] = x[n + i] = x[2 * n + i] = luma(x[i], x[n + i], x[2 * n + i]);
      if (v.sigma > 0)
        for (int64_t c = 0; c < C; ++c) blur(x + c * n, H, W, v.sigma, radius, s);
      float *to = out + b * C * n;
      for (int64_t i = 0; i < n; ++i)
        for (int64_t c = 0; c < C; ++c) to[i * C + c] = x[c * n + i];
    }
  });
}

}  // namespace

extern "C" {

CTTensor ct_contrastive_augmentation(CTTensor images, CTTensor indices, CTTensor draws, CTTensor order, int64_t height, int64_t width,
                              bool bicubic, int64_t radius) {
  return tensor([&] {
    const at::Tensor &x = get(images);
    const at::Tensor rows = get(indices).contiguous(), numbersOf = get(draws).contiguous(), changes = get(order).contiguous();
    const int64_t B = rows.numel();
    TORCH_CHECK(x.is_cpu() && x.dim() == 4 && (x.scalar_type() == at::kByte || x.scalar_type() == at::kFloat),
                "augmented images are taken from N x C x H x W images of uint8 or float32 on the CPU");
    TORCH_CHECK(rows.is_cpu() && rows.scalar_type() == at::kLong && changes.is_cpu() && changes.scalar_type() == at::kLong &&
                    changes.numel() == 4,
                "indices and the order of 4 must be int64 on the CPU");
    TORCH_CHECK(numbersOf.is_cpu() && numbersOf.scalar_type() == at::kFloat && numbersOf.dim() == 2 && numbersOf.size(0) == B &&
                    numbersOf.size(1) == numbers,
                "draws must be float32 ", B, " x ", numbers, " on the CPU");
    TORCH_CHECK(height > 0 && width > 0 && radius >= 0 && radius < std::min(height, width), "a blur of radius ", radius,
                " does not fit images of ", height, " x ", width);
    const int64_t *r = values<int64_t>(rows);
    const Draw *chosen = reinterpret_cast<const Draw *>(values<float>(numbersOf));
    for (int64_t b = 0; b < B; ++b) {
      const Draw &v = chosen[b];
      TORCH_CHECK(r[b] >= 0 && r[b] < x.size(0), "index ", r[b], " is not below ", x.size(0));
      TORCH_CHECK(v.top >= 0 && v.left >= 0 && v.height >= 1 && v.width >= 1 && v.top + v.height <= static_cast<float>(x.size(2)) &&
                      v.left + v.width <= static_cast<float>(x.size(3)),
                  "box ", b, " lies outside its image");
    }
    at::Tensor out = at::empty({B, x.size(1), height, width}, x.options().dtype(at::kFloat), at::MemoryFormat::ChannelsLast);
    float *to = out.mutable_data_ptr<float>();
    const int64_t *o = values<int64_t>(changes);
    if (x.scalar_type() == at::kByte)
      contrastiveAugmentation<uint8_t>(x, r, chosen, B, o, height, width, bicubic, radius, to);
    else
      contrastiveAugmentation<float>(x, r, chosen, B, o, height, width, bicubic, radius, to);
    return out;
  });
}

}  // extern "C"
