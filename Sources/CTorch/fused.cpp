// Batch normalisation followed by ReLU as one operation, on the CPU and channels_last memory. The rectified output is the only tensor that
// it writes, its backward pass reads the input and the gradient twice and writes once, and the reductions are in blocks that do not
// depend on the number of threads.
#include "include/ct_fused.h"

#include <ATen/Parallel.h>
#include <ATen/TracerMode.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/native_batch_norm_backward.h>
#include <ATen/ops/relu.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "channels.h"
#include "shim.h"

using namespace ct;

namespace {

/// y = scale x + overlay in bytes. Product and sum round one after the other, as separate operations do.
CT_INLINE void blend(const uint8_t *x, const float *overlay, float scale, uint8_t *y, int64_t count) {
#pragma clang fp contract(off)
  for (int64_t i = 0; i < count; ++i) {
    const float v = std::nearbyint(static_cast<float>(x[i]) * scale + overlay[i]);
    y[i] = static_cast<uint8_t>(static_cast<int32_t>(v < 0 ? 0 : v > 255 ? 255 : v));
  }
}
CT_KERNEL(blend)

/// A byte of each of sixteen planes, or sixteen bytes of one.
typedef uint8_t Bytes __attribute__((vector_size(16)));

/// Rows become columns. Each round interleaves the upper and the lower half of the rows; after four, all bits of the place have moved.
CT_INLINE void transpose(Bytes *v) {
  for (int round = 0; round < 4; ++round) {
    Bytes w[16];
    for (int i = 0; i < 8; ++i) {
      w[2 * i] = __builtin_shufflevector(v[i], v[i + 8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      w[2 * i + 1] = __builtin_shufflevector(v[i], v[i + 8], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    }
    std::memcpy(v, w, sizeof w);
  }
}

/// Copies up to sixteen bytes. A length that the compiler knows is one instruction, any other one a call.
CT_INLINE void copy(void *to, const void *from, int64_t length) {
  if (length == sizeof(Bytes))
    std::memcpy(to, from, sizeof(Bytes));
  else
    std::memcpy(to, from, length);
}

/// y = weighted sums of four pixels each, in bytes, of up to sixteen planes side by side: the weights are the same in all of them, and
/// loads of sixteen neighbours are much faster than sixteen loads from anywhere.
/// `pixels` has room for sixteen bytes a pixel, `count` rounded up to sixteen.
CT_INLINE void mix(const uint8_t *x, int planes, Bytes *pixels, const int32_t *at, const float *share, uint8_t *y, int64_t count) {
#pragma clang fp contract(off)
  for (int64_t i = 0; i < count; i += 16) {
    const int64_t length = std::min<int64_t>(16, count - i);
    Bytes block[16] = {};
    for (int p = 0; p < planes; ++p) copy(block + p, x + p * count + i, length);
    transpose(block);
    std::memcpy(pixels + i, block, sizeof block);
  }
  for (int64_t i = 0; i < count; i += 16) {
    const int64_t length = std::min<int64_t>(16, count - i);
    Bytes block[16] = {};
    for (int64_t j = 0; j < length; ++j) {
      Floats v = {};
      for (int64_t k = i + j; k < 4 * count; k += count) v += __builtin_convertvector(pixels[at[k]], Floats) * share[k];
      v = v > 0.0f ? v : Floats{};
      v = v < 255.0f ? v : Floats{} + 255.0f;
      // Float32 numbers from 2^23 on are whole: the sum rounds, halves to even.
      v = (v + 8388608.0f) - 8388608.0f;
      block[j] = __builtin_convertvector(__builtin_convertvector(v, Ints), Bytes);
    }
    transpose(block);
    for (int p = 0; p < planes; ++p) copy(y + p * count + i, block + p, length);
  }
}
CT_KERNEL(mix)

/// Calls `body(first row, rows)` for each block, in parallel.
template <class F>
void forBlocks(const Matrix &m, F body) {
  at::parallel_for(0, m.blocks(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) body(i, i * m.block, std::min(m.block, m.rows - i * m.block));
  });
}

/// Sums of two quantities for each channel, from the sums of each block.
std::pair<std::vector<double>, std::vector<double>> totals(const Matrix &m, const std::vector<float> &parts) {
  std::vector<double> a(m.channels), b(m.channels);
  for (int64_t i = 0; i < m.blocks(); ++i) {
    const float *p = parts.data() + 2 * i * m.width, *q = p + m.width;
    for (int64_t c = 0; c < m.width; ++c) a[c % m.channels] += p[c], b[c % m.channels] += q[c];
  }
  return {std::move(a), std::move(b)};
}

/// Mean and variance (without Bessel's correction) of each channel.
template <class T>
void statistics(const T *x, const Matrix &m, float *mean, double *variance) {
  const std::vector<float> around = nearMean(x, m), shift = m.columns(around.data());
  std::vector<float> parts(2 * m.blocks() * m.width);
  forBlocks(m, [&](int64_t i, int64_t row, int64_t rows) {
    float *out = parts.data() + 2 * i * m.width;
    run_moments(x + row * m.width, rows, m.width, shift.data(), out, out + m.width);
  });
  const auto [sum, square] = totals(m, parts);
  const double n = static_cast<double>(m.count());
  for (int64_t c = 0; c < m.channels; ++c) {
    const double d = sum[c] / n;
    mean[c] = static_cast<float>(around[c] + d);
    const double v = square[c] / n - d * d;
    variance[c] = v < 0 ? 0 : v;
  }
}

/// What the backward pass needs besides x and the weights, as rows of a 5 x C tensor.
enum Row { factor, offset, center, inverse, spreadOf, rowCount };

template <class T, class S>
at::Tensor forward(const at::Tensor &x, const at::Tensor &w, const at::Tensor &b, const at::Tensor &mean, const at::Tensor &var,
                   bool training, double momentum, double eps, at::Tensor &saved) {
  const Matrix m(x);
  const int64_t C = m.channels;
  const S *data = reinterpret_cast<const S *>(values<T>(x));
  saved = at::empty({rowCount, C}, w.options());
  float *rows = saved.mutable_data_ptr<float>();
  if (training) {
    std::vector<double> variance(C);
    statistics(data, m, rows + center * C, variance.data());
    const double n = static_cast<double>(m.count()), correction = n > 1 ? n / (n - 1) : 1;
    float *movingMean = mean.mutable_data_ptr<float>(), *movingVar = var.mutable_data_ptr<float>();
    for (int64_t c = 0; c < C; ++c) {
      rows[inverse * C + c] = static_cast<float>(1 / std::sqrt(variance[c] + eps));
      rows[spreadOf * C + c] = static_cast<float>(variance[c]);
      movingMean[c] = static_cast<float>(momentum * rows[center * C + c] + (1 - momentum) * movingMean[c]);
      movingVar[c] = static_cast<float>(momentum * variance[c] * correction + (1 - momentum) * movingVar[c]);
    }
    mean.unsafeGetTensorImpl()->bump_version();
    var.unsafeGetTensorImpl()->bump_version();
  } else {
    const float *fixedMean = values<float>(mean), *fixedVar = values<float>(var);
    for (int64_t c = 0; c < C; ++c) {
      rows[center * C + c] = fixedMean[c];
      rows[spreadOf * C + c] = fixedVar[c];
      rows[inverse * C + c] = 1 / std::sqrt(fixedVar[c] + static_cast<float>(eps));
    }
  }
  const float *weight = values<float>(w), *bias = values<float>(b);
  for (int64_t c = 0; c < C; ++c) {
    rows[factor * C + c] = weight[c] * rows[inverse * C + c];
    rows[offset * C + c] = bias[c] - rows[center * C + c] * rows[factor * C + c];
  }
  const std::vector<float> a = m.columns(rows + factor * C), shift = m.columns(rows + offset * C);
  at::Tensor y = at::empty_like(x, x.options(), at::MemoryFormat::ChannelsLast);
  S *out = reinterpret_cast<S *>(y.mutable_data_ptr<T>());
  forBlocks(m, [&](int64_t, int64_t row, int64_t count) {
    run_apply(Rectified{}, data + row * m.width, out + row * m.width, count, m.width, a.data(), shift.data());
  });
  return y;
}

template <class T, class S>
std::array<at::Tensor, 3> backward(const at::Tensor &x, const at::Tensor &g, const at::Tensor &saved, bool training, bool needsInput,
                                   bool needsWeights) {
  const Matrix m(x);
  const int64_t C = m.channels;
  const S *data = reinterpret_cast<const S *>(values<T>(x)), *seed = reinterpret_cast<const S *>(values<T>(g));
  const float *rows = values<float>(saved);
  const std::vector<float> a = m.columns(rows + factor * C), b = m.columns(rows + offset * C), mean = m.columns(rows + center * C);
  at::Tensor dx, dw, db;
  std::vector<float> first(C), second(C);
  if (training || needsWeights) {
    std::vector<float> parts(2 * m.blocks() * m.width);
    forBlocks(m, [&](int64_t i, int64_t row, int64_t count) {
      float *out = parts.data() + 2 * i * m.width;
      run_reduce(Rectified{}, data + row * m.width, seed + row * m.width, count, m.width, a.data(), b.data(), mean.data(), out, out + m.width);
    });
    const auto [sum, product] = totals(m, parts);
    dw = at::empty({C}, saved.options());
    db = at::empty({C}, saved.options());
    float *weights = dw.mutable_data_ptr<float>(), *biases = db.mutable_data_ptr<float>();
    const double n = static_cast<double>(m.count());
    for (int64_t c = 0; c < C; ++c) {
      const double inv = rows[inverse * C + c];
      weights[c] = static_cast<float>(product[c] * inv);
      biases[c] = static_cast<float>(sum[c]);
      const double scale = rows[factor * C + c];
      first[c] = static_cast<float>(scale * sum[c] / n);
      second[c] = static_cast<float>(scale * product[c] * inv * inv / n);
    }
  }
  if (needsInput) {
    dx = at::empty_like(x, x.options(), at::MemoryFormat::ChannelsLast);
    S *out = reinterpret_cast<S *>(dx.mutable_data_ptr<T>());
    const std::vector<float> one = m.columns(first.data()), two = m.columns(second.data());
    forBlocks(m, [&](int64_t, int64_t row, int64_t count) {
      const int64_t at = row * m.width;
      if (training)
        run_spread(Rectified{}, data + at, seed + at, out + at, count, m.width, a.data(), b.data(), mean.data(), a.data(), one.data(), two.data());
      else
        run_scaled(Rectified{}, data + at, seed + at, out + at, count, m.width, a.data(), b.data(), a.data());
    });
  }
  return {dx, dw, db};
}

at::Tensor runForward(const at::Tensor &x, const at::Tensor &w, const at::Tensor &b, const at::Tensor &mean, const at::Tensor &var,
                      bool training, double momentum, double eps, at::Tensor &saved) {
  return x.scalar_type() == at::kFloat ? forward<float, float>(x, w, b, mean, var, training, momentum, eps, saved)
                                       : forward<at::BFloat16, uint16_t>(x, w, b, mean, var, training, momentum, eps, saved);
}

struct BatchNormReLU : torch::autograd::Function<BatchNormReLU> {
  static at::Tensor forward(torch::autograd::AutogradContext *ctx, const at::Tensor &x, const at::Tensor &w, const at::Tensor &b,
                            const at::Tensor &mean, const at::Tensor &var, bool training, double momentum, double eps) {
    at::Tensor saved;
    at::Tensor y = runForward(x, w, b, mean, var, training, momentum, eps, saved);
    ctx->save_for_backward({x, w, b, saved});
    ctx->saved_data["training"] = training;
    ctx->saved_data["eps"] = eps;
    return y;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext *ctx, const torch::autograd::variable_list &seeds) {
    const auto variables = ctx->get_saved_variables();
    const at::Tensor &x = variables[0], &w = variables[1], &saved = variables[3];
    const bool training = ctx->saved_data["training"].toBool();
    const bool needsInput = ctx->needs_input_grad(0), needsWeights = ctx->needs_input_grad(1) || ctx->needs_input_grad(2);
    if (!seeds[0].defined()) return torch::autograd::variable_list(8);
    at::Tensor dx, dw, db;
    if (c10::GradMode::is_enabled()) {
      // Somebody wants gradients of these gradients: by LibTorch's own operations, which can be differentiated.
      const double eps = ctx->saved_data["eps"].toDouble();
      const at::Tensor mean = saved.select(0, center), var = saved.select(0, spreadOf), inv = saved.select(0, inverse);
      at::Tensor open;
      {
        at::NoGradGuard guard;
        const auto shaped = [&](Row row) { return saved.select(0, row).view({1, -1, 1, 1}); };
        open = x.to(at::kFloat).mul(shaped(factor)).add_(shaped(offset)).gt(0).to(seeds[0].scalar_type());
      }
      std::tie(dx, dw, db) = at::native_batch_norm_backward(at::mul(seeds[0], open), x, w, mean, var, mean, inv, training, eps,
                                                            {needsInput, needsWeights, needsWeights});
    } else {
      const at::Tensor g = seeds[0].to(x.scalar_type()).contiguous(at::MemoryFormat::ChannelsLast);
      const auto grads = x.scalar_type() == at::kFloat
                             ? ::backward<float, float>(x, g, saved, training, needsInput, needsWeights)
                             : ::backward<at::BFloat16, uint16_t>(x, g, saved, training, needsInput, needsWeights);
      dx = grads[0], dw = grads[1], db = grads[2];
    }
    return {dx, dw, db, at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

bool isFast(const at::Tensor &x, const at::Tensor &w, const at::Tensor &b, const at::Tensor &mean, const at::Tensor &var) {
  if (!areImages(x) || !Matrix::fits(x)) return false;
  const int64_t C = x.size(1);
  return isPlain(w, C) && isPlain(b, C) && isPlain(mean, C) && isPlain(var, C);
}

}  // namespace

extern "C" {

CTTensor ct_batch_norm_relu(CTTensor xh, CTTensor wh, CTTensor bh, CTTensor meanh, CTTensor varh, bool training, double momentum,
                            double eps) {
  return tensor([&]() -> at::Tensor {
    const at::Tensor &x = get(xh), &w = get(wh), &b = get(bh), &mean = get(meanh), &var = get(varh);
    // A tracer knows LibTorch's own operations alone.
    if (!isFast(x, w, b, mean, var) || at::tracer::impl::is_dispatch_enabled())
      return at::relu(at::batch_norm(x, w, b, mean, var, training, momentum, eps, true));
    TORCH_CHECK(!training || x.numel() / x.size(1) > 1, "expected more than 1 value per channel when training, got input size ", x.sizes());
    if (c10::GradMode::is_enabled() && (x.requires_grad() || w.requires_grad() || b.requires_grad()))
      return BatchNormReLU::apply(x, w, b, mean, var, training, momentum, eps);
    at::Tensor saved;
    at::NoGradGuard guard;
    return runForward(x, w, b, mean, var, training, momentum, eps, saved);
  });
}

CTTensor ct_blend_bytes(CTTensor xh, CTTensor oh, double scale) {
  return tensor([&] {
    const at::Tensor &x = get(xh), &overlay = get(oh);
    const int64_t size = overlay.numel(), count = size == 0 ? 0 : x.numel() / size;
    TORCH_CHECK(x.is_cpu() && overlay.is_cpu() && x.is_contiguous() && overlay.is_contiguous() && count * size == x.numel(),
                "an overlay of ", overlay.sizes(), " on images of ", x.sizes());
    at::Tensor y = at::empty(x.sizes(), x.options());
    const uint8_t *from = values<uint8_t>(x);
    const float *added = values<float>(overlay);
    uint8_t *to = y.mutable_data_ptr<uint8_t>();
    at::parallel_for(0, count, 16, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        run_blend(from + i * size, added, static_cast<float>(scale), to + i * size, size);
    });
    return y;
  });
}

CTTensor ct_mix_bytes(CTTensor xh, CTTensor ph, CTTensor wh) {
  return tensor([&] {
    const at::Tensor &x = get(xh), &places = get(ph), &weights = get(wh);
    const int64_t size = places.size(1), planes = size == 0 ? 0 : x.numel() / size;
    TORCH_CHECK(x.is_cpu() && x.is_contiguous() && places.is_contiguous() && weights.is_contiguous() &&
                    places.sizes() == weights.sizes() && places.size(0) == 4 && planes * size == x.numel(),
                "places of ", places.sizes(), " on images of ", x.sizes());
    at::Tensor y = at::empty(x.sizes(), x.options());
    const uint8_t *from = values<uint8_t>(x);
    const int32_t *at = values<int32_t>(places);
    const float *share = values<float>(weights);
    for (int64_t i = 0; i < places.numel(); ++i)
      TORCH_CHECK(at[i] >= 0 && at[i] < size, "place ", at[i], " of ", size);
    uint8_t *to = y.mutable_data_ptr<uint8_t>();
    at::parallel_for(0, (planes + 15) / 16, 3, [&](int64_t begin, int64_t end) {
      std::vector<Bytes> pixels((size + 15) / 16 * 16);
      for (int64_t i = begin; i < end; ++i) {
        const int together = static_cast<int>(std::min<int64_t>(16, planes - i * 16));
        run_mix(from + i * 16 * size, together, pixels.data(), at, share, to + i * 16 * size, size);
      }
    });
    return y;
  });
}

}  // extern "C"
