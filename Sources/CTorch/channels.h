// Kernels over the channels of images in channels_last memory: normalisations are made of them.
#pragma once

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "lanes.h"

namespace ct {

/// An N x C x H x W tensor in channels_last memory as a matrix: `rows` of `width` numbers. The width is a multiple of the lanes; channels
/// repeat inside a row where their own count is not.
struct Matrix {
  int64_t rows, width, channels, block;
  explicit Matrix(const at::Tensor &x) : Matrix(x.size(1), x.numel()) {}
  Matrix(int64_t channels, int64_t numbers) : channels(channels) {
    width = std::lcm(channels, lanes);
    rows = width == 0 ? 0 : numbers / width;
    block = std::max<int64_t>(16, 32768 / std::max<int64_t>(width, 1));
  }
  int64_t blocks() const { return (rows + block - 1) / block; }
  /// Numbers of one channel.
  int64_t count() const { return rows * (width / channels); }
  static bool fits(const at::Tensor &x) { return fits(x.size(1), x.numel()); }
  static bool fits(int64_t channels, int64_t numbers) {
    return numbers > 0 && channels <= 4096 && numbers % std::lcm(channels, lanes) == 0;
  }
  /// A value for each channel as a value for each column.
  std::vector<float> columns(const float *values) const {
    std::vector<float> out(width);
    for (int64_t i = 0; i < width; ++i) out[i] = values[i % channels];
    return out;
  }
};

/// Whether the kernels take these images.
inline bool areImages(const at::Tensor &x) {
  return x.is_cpu() && x.dim() == 4 && (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16) &&
         x.is_contiguous(at::MemoryFormat::ChannelsLast);
}
/// Whether this is a float32 value for each channel.
inline bool isPlain(const at::Tensor &t, int64_t channels) {
  return t.defined() && t.is_cpu() && t.scalar_type() == at::kFloat && t.is_contiguous() && t.dim() == 1 && t.size(0) == channels;
}

/// What follows a normalisation: ReLU, or nothing. `v` belongs to the output z.
struct Rectified {
  CT_INLINE static Floats pass(Floats z, Floats v) { return gated(z, v); }
};
struct Linear {
  CT_INLINE static Floats pass(Floats, Floats v) { return v; }
};

// One kernel for each pass. `V` vectors at a time stay in registers while the rows go by.

template <int V, class T>
CT_INLINE void momentsOf(const T *x, int64_t rows, int64_t width, const float *shift, float *sum, float *square) {
  Floats s[V], q[V], m[V];
#pragma clang loop unroll(full)
  for (int v = 0; v < V; ++v) s[v] = q[v] = Floats{}, m[v] = load(shift + v * lanes);
  for (int64_t r = 0; r < rows; ++r, x += width) {
#pragma clang loop unroll(full)
    for (int v = 0; v < V; ++v) {
      const Floats d = load(x + v * lanes) - m[v];
      s[v] += d;
      q[v] += d * d;
    }
  }
#pragma clang loop unroll(full)
  for (int v = 0; v < V; ++v) store(sum + v * lanes, s[v]), store(square + v * lanes, q[v]);
}

template <int V, class Then, class T>
CT_INLINE void reduceOf(const T *x, const T *g, int64_t rows, int64_t width, const float *a, const float *b, const float *mean, float *sum,
                        float *product) {
  Floats s[V], q[V];
#pragma clang loop unroll(full)
  for (int v = 0; v < V; ++v) s[v] = q[v] = Floats{};
  for (int64_t r = 0; r < rows; ++r, x += width, g += width) {
#pragma clang loop unroll(full)
    for (int v = 0; v < V; ++v) {
      const Floats value = load(x + v * lanes);
      const Floats d = Then::pass(value * load(a + v * lanes) + load(b + v * lanes), load(g + v * lanes));
      s[v] += d;
      q[v] += d * (value - load(mean + v * lanes));
    }
  }
#pragma clang loop unroll(full)
  for (int v = 0; v < V; ++v) store(sum + v * lanes, s[v]), store(product + v * lanes, q[v]);
}

template <class T>
CT_INLINE void moments(const T *x, int64_t rows, int64_t width, const float *shift, float *sum, float *square) {
  int64_t c = 0;
  for (; c + 4 * lanes <= width; c += 4 * lanes) momentsOf<4>(x + c, rows, width, shift + c, sum + c, square + c);
  for (; c < width; c += lanes) momentsOf<1>(x + c, rows, width, shift + c, sum + c, square + c);
}
/// Of each column the sums of d and of d (x - mean), where d is g behind what follows a x + b.
template <class Then, class T>
CT_INLINE void reduce(Then, const T *x, const T *g, int64_t rows, int64_t width, const float *a, const float *b, const float *mean,
                      float *sum, float *product) {
  int64_t c = 0;
  for (; c + 2 * lanes <= width; c += 2 * lanes)
    reduceOf<2, Then>(x + c, g + c, rows, width, a + c, b + c, mean + c, sum + c, product + c);
  for (; c < width; c += lanes) reduceOf<1, Then>(x + c, g + c, rows, width, a + c, b + c, mean + c, sum + c, product + c);
}
/// y = a x + b, and what follows it.
template <class Then, class T>
CT_INLINE void apply(Then, const T *x, T *y, int64_t rows, int64_t width, const float *a, const float *b) {
  for (int64_t r = 0; r < rows; ++r, x += width, y += width) {
    for (int64_t c = 0; c < width; c += lanes) {
      const Floats z = load(x + c) * load(a + c) + load(b + c);
      store(y + c, Then::pass(z, z));
    }
  }
}
/// dx = scale d - first - second (x - mean)
template <class Then, class T>
CT_INLINE void spread(Then, const T *x, const T *g, T *dx, int64_t rows, int64_t width, const float *a, const float *b,
                      const float *mean, const float *scale, const float *first, const float *second) {
  for (int64_t r = 0; r < rows; ++r, x += width, g += width, dx += width) {
    for (int64_t c = 0; c < width; c += lanes) {
      const Floats value = load(x + c);
      const Floats d = Then::pass(value * load(a + c) + load(b + c), load(g + c));
      store(dx + c, load(scale + c) * d - load(first + c) - load(second + c) * (value - load(mean + c)));
    }
  }
}
/// dx = scale d: the statistics are constants.
template <class Then, class T>
CT_INLINE void scaled(Then, const T *x, const T *g, T *dx, int64_t rows, int64_t width, const float *a, const float *b, const float *scale) {
  for (int64_t r = 0; r < rows; ++r, x += width, g += width, dx += width) {
    for (int64_t c = 0; c < width; c += lanes) {
      const Floats d = Then::pass(load(x + c) * load(a + c) + load(b + c), load(g + c));
      store(dx + c, load(scale + c) * d);
    }
  }
}

CT_KERNEL(moments)
CT_KERNEL(reduce)
CT_KERNEL(apply)
CT_KERNEL(spread)
CT_KERNEL(scaled)

/// A few values of each channel, averaged: near enough to the mean that sums of squares around it lose no digits.
template <class T>
std::vector<float> nearMean(const T *x, const Matrix &m) {
  const int64_t samples = std::min<int64_t>(m.rows, 32), step = m.rows / samples;
  std::vector<float> sum(m.width), out(m.channels);
  for (int64_t r = 0; r < samples; ++r) {
    const T *row = x + r * step * m.width;
    for (int64_t c = 0; c < m.width; c += lanes) store(sum.data() + c, load(sum.data() + c) + load(row + c));
  }
  for (int64_t c = 0; c < m.width; ++c) out[c % m.channels] += sum[c];
  const float share = 1.0f / static_cast<float>(samples * (m.width / m.channels));
  for (float &v : out) v = std::isfinite(v) ? v * share : 0;
  return out;
}

}  // namespace ct
