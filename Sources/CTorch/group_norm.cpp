// Group normalisation. On the CPU, images in channels_last memory are normalised where they lie: LibTorch's own backward pass takes a
// multiple of the time there that it takes in contiguous memory.
#include <ATen/Parallel.h>
#include <ATen/TracerMode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/group_norm.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>
#include <vector>

#include "channels.h"
#include "shim.h"

using namespace ct;

namespace {

/// Images of C x H x W, each a matrix of its own, and their groups of channels.
struct Images {
  int64_t count, groups;
  Matrix one;
  Images(const at::Tensor &x, int64_t groups) : count(x.size(0)), groups(groups), one(x.size(1), x.numel() / x.size(0)) {}
  int64_t size() const { return one.rows * one.width; }
  int64_t group(int64_t channel) const { return channel / (one.channels / groups); }
  /// Numbers of one group in one image.
  double groupCount() const { return static_cast<double>(size() / groups); }
  /// Calls `body(image, its first number)` for each image, in parallel.
  template <class F>
  void forEach(F body) const {
    at::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) body(i, i * size());
    });
  }
  /// A channel's sum from those of the columns.
  std::vector<double> channels(const std::vector<float> &columns) const {
    std::vector<double> out(one.channels);
    for (int64_t i = 0; i < one.width; ++i) out[i % one.channels] += columns[i];
    return out;
  }
};

/// Mean and inverse deviation of each group of one image.
template <class S>
void statistics(const S *x, const Images &m, double eps, float *mean, float *inverse) {
  const int64_t C = m.one.channels;
  const std::vector<float> around = nearMean(x, m.one), shift = m.one.columns(around.data());
  std::vector<float> sums(m.one.width), squares(m.one.width);
  run_moments(x, m.one.rows, m.one.width, shift.data(), sums.data(), squares.data());
  const std::vector<double> sum = m.channels(sums), square = m.channels(squares);
  const double each = static_cast<double>(m.one.count()), n = m.groupCount();
  std::vector<double> middle(m.groups), spread(m.groups);
  for (int64_t c = 0; c < C; ++c) middle[m.group(c)] += (around[c] * each + sum[c]) / n;
  // Around the group's mean, from sums around another number of each channel.
  for (int64_t c = 0; c < C; ++c) {
    const double d = around[c] - middle[m.group(c)];
    spread[m.group(c)] += (square[c] + 2 * d * sum[c] + d * d * each) / n;
  }
  for (int64_t g = 0; g < m.groups; ++g) {
    mean[g] = static_cast<float>(middle[g]);
    inverse[g] = static_cast<float>(1 / std::sqrt((spread[g] < 0 ? 0 : spread[g]) + eps));
  }
}

/// - Parameter saved: 2 x N x groups, the means and the inverse deviations.
template <class T, class S>
at::Tensor forward(const at::Tensor &x, int64_t groups, const at::Tensor &w, const at::Tensor &b, double eps, at::Tensor &saved) {
  const Images m(x, groups);
  const int64_t C = m.one.channels;
  const S *data = reinterpret_cast<const S *>(values<T>(x));
  const float *weight = values<float>(w), *bias = values<float>(b);
  at::Tensor y = at::empty_like(x, x.options(), at::MemoryFormat::ChannelsLast);
  saved = at::empty({2, m.count, groups}, x.options().dtype(at::kFloat));
  S *out = reinterpret_cast<S *>(y.mutable_data_ptr<T>());
  float *means = saved.mutable_data_ptr<float>(), *inverses = means + m.count * groups;
  m.forEach([&](int64_t image, int64_t at) {
    float *mean = means + image * groups, *inverse = inverses + image * groups;
    statistics(data + at, m, eps, mean, inverse);
    std::vector<float> factor(C), offset(C);
    for (int64_t c = 0; c < C; ++c) {
      const int64_t g = m.group(c);
      factor[c] = weight[c] * inverse[g];
      offset[c] = bias[c] - mean[g] * factor[c];
    }
    run_apply(Linear{}, data + at, out + at, m.one.rows, m.one.width, m.one.columns(factor.data()).data(),
              m.one.columns(offset.data()).data());
  });
  return y;
}

template <class T, class S>
torch::autograd::variable_list backward(const at::Tensor &x, const at::Tensor &w, const at::Tensor &seeds, const at::Tensor &saved,
                                        bool needsInput, bool needsWeights) {
  const Images m(x, saved.size(2));
  const int64_t C = m.one.channels;
  const S *data = reinterpret_cast<const S *>(values<T>(x)), *seed = reinterpret_cast<const S *>(values<T>(seeds));
  const float *weight = values<float>(w), *means = values<float>(saved), *inverses = means + m.count * m.groups;
  // Of each image and channel the gradients of bias and weight.
  std::vector<float> offsets(m.count * C), factors(m.count * C);
  at::Tensor dx;
  S *out = nullptr;
  if (needsInput) {
    dx = at::empty_like(x, x.options(), at::MemoryFormat::ChannelsLast);
    out = reinterpret_cast<S *>(dx.mutable_data_ptr<T>());
  }
  m.forEach([&](int64_t image, int64_t at) {
    const float *mean = means + image * m.groups, *inverse = inverses + image * m.groups;
    std::vector<float> middle(C), factor(C), sums(m.one.width), products(m.one.width);
    for (int64_t c = 0; c < C; ++c) middle[c] = mean[m.group(c)], factor[c] = weight[c] * inverse[m.group(c)];
    const std::vector<float> center = m.one.columns(middle.data()), scale = m.one.columns(factor.data());
    run_reduce(Linear{}, data + at, seed + at, m.one.rows, m.one.width, scale.data(), scale.data(), center.data(), sums.data(),
               products.data());
    const std::vector<double> sum = m.channels(sums), product = m.channels(products);
    std::vector<double> first(m.groups), second(m.groups);
    for (int64_t c = 0; c < C; ++c) {
      const int64_t g = m.group(c);
      offsets[image * C + c] = static_cast<float>(sum[c]);
      factors[image * C + c] = static_cast<float>(product[c] * inverse[g]);
      first[g] += weight[c] * sum[c], second[g] += weight[c] * product[c];
    }
    if (!out) return;
    std::vector<float> one(C), two(C);
    for (int64_t c = 0; c < C; ++c) {
      const int64_t g = m.group(c);
      const double inv = inverse[g];
      one[c] = static_cast<float>(inv * first[g] / m.groupCount());
      two[c] = static_cast<float>(inv * inv * inv * second[g] / m.groupCount());
    }
    run_spread(Linear{}, data + at, seed + at, out + at, m.one.rows, m.one.width, scale.data(), scale.data(), center.data(), scale.data(),
               m.one.columns(one.data()).data(), m.one.columns(two.data()).data());
  });
  const auto total = [&](const std::vector<float> &parts) {
    at::Tensor sum = at::empty({C}, saved.options());
    float *values = sum.mutable_data_ptr<float>();
    for (int64_t c = 0; c < C; ++c) {
      double all = 0;
      for (int64_t image = 0; image < m.count; ++image) all += parts[image * C + c];
      values[c] = static_cast<float>(all);
    }
    return sum;
  };
  if (!needsWeights) return {dx, at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor()};
  return {dx, total(factors), total(offsets), at::Tensor(), at::Tensor()};
}

at::Tensor runForward(const at::Tensor &x, int64_t groups, const at::Tensor &w, const at::Tensor &b, double eps, at::Tensor &saved) {
  return x.scalar_type() == at::kFloat ? forward<float, float>(x, groups, w, b, eps, saved)
                                       : forward<at::BFloat16, uint16_t>(x, groups, w, b, eps, saved);
}

struct GroupNorm : torch::autograd::Function<GroupNorm> {
  static at::Tensor forward(torch::autograd::AutogradContext *ctx, const at::Tensor &x, const at::Tensor &w, const at::Tensor &b,
                            int64_t groups, double eps) {
    at::Tensor saved;
    at::Tensor y = runForward(x, groups, w, b, eps, saved);
    ctx->save_for_backward({x, w, b, saved});
    ctx->saved_data["eps"] = eps;
    return y;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext *ctx, const torch::autograd::variable_list &seeds) {
    const auto variables = ctx->get_saved_variables();
    const at::Tensor &x = variables[0], &w = variables[1], &b = variables[2], &saved = variables[3];
    if (!seeds[0].defined()) return torch::autograd::variable_list(5);
    if (c10::GradMode::is_enabled()) {
      // Somebody wants gradients of these gradients: by LibTorch's own operation, which can be differentiated.
      const at::Tensor y = at::group_norm(x, saved.size(2), w, b, ctx->saved_data["eps"].toDouble());
      std::vector<at::Tensor> inputs;
      std::vector<size_t> places;
      for (size_t i : {0, 1, 2}) {
        if (ctx->needs_input_grad(i)) inputs.push_back(variables[i]), places.push_back(i);
      }
      const auto found = torch::autograd::grad({y}, inputs, {seeds[0].to(y.scalar_type())}, true, true, true);
      torch::autograd::variable_list out(5);
      for (size_t i = 0; i < found.size(); ++i) out[places[i]] = found[i];
      return out;
    }
    const at::Tensor g = seeds[0].to(x.scalar_type()).contiguous(at::MemoryFormat::ChannelsLast);
    const bool needsInput = ctx->needs_input_grad(0), needsWeights = ctx->needs_input_grad(1) || ctx->needs_input_grad(2);
    return x.scalar_type() == at::kFloat ? ::backward<float, float>(x, w, g, saved, needsInput, needsWeights)
                                         : ::backward<at::BFloat16, uint16_t>(x, w, g, saved, needsInput, needsWeights);
  }
};

bool isFast(const at::Tensor &x, int64_t groups, const at::Tensor &w, const at::Tensor &b) {
  if (!areImages(x) || x.numel() == 0 || groups < 1 || x.size(1) % groups != 0) return false;
  if ((w.defined() && !isPlain(w, x.size(1))) || (b.defined() && !isPlain(b, x.size(1)))) return false;
  // In memory that is contiguous as well, LibTorch is as fast.
  return !x.is_contiguous() && Matrix::fits(x.size(1), x.numel() / x.size(0));
}

}  // namespace

extern "C" {

CTTensor ct_group_norm(CTTensor xh, int64_t groups, CTTensor wh, CTTensor bh, double eps) {
  return tensor([&]() -> at::Tensor {
    const at::Tensor &x = get(xh);
    at::Tensor w = optional(wh), b = optional(bh);
    // A tracer knows LibTorch's own operations alone.
    if (!isFast(x, groups, w, b) || at::tracer::impl::is_dispatch_enabled()) return at::group_norm(x, groups, w, b, eps);
    if (!w.defined()) w = at::ones({x.size(1)}, x.options().dtype(at::kFloat));
    if (!b.defined()) b = at::zeros({x.size(1)}, x.options().dtype(at::kFloat));
    if (c10::GradMode::is_enabled() && (x.requires_grad() || w.requires_grad() || b.requires_grad()))
      return GroupNorm::apply(x, w, b, groups, eps);
    at::Tensor saved;
    at::NoGradGuard guard;
    return runForward(x, groups, w, b, eps, saved);
  });
}

}  // extern "C"
