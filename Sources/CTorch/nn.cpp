#include <ATen/TracerMode.h>
#include <ATen/ops/_scaled_dot_product_attention_math.h>
#include <ATen/ops/_upsample_bicubic2d_aa.h>
#include <ATen/ops/_upsample_bilinear2d_aa.h>
#include <ATen/ops/adaptive_avg_pool2d.h>
#include <ATen/ops/affine_grid_generator.h>
#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/binary_cross_entropy_with_logits.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/conv_transpose2d.h>
#include <ATen/ops/convolution_backward.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/grid_sampler.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/leaky_relu.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/mse_loss.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/upsample_bicubic2d.h>
#include <ATen/ops/upsample_bilinear2d.h>
#include <ATen/ops/upsample_nearest2d.h>
#include <c10/core/GradMode.h>

#include "shim.h"

using namespace ct;

extern "C" {

CTTensor ct_linear(CTTensor x, CTTensor w, CTTensor b) {
  return tensor([&] { return at::linear(get(x), get(w), optional(b)); });
}
/// Whether a convolution only picks every stride-th pixel. The backward pass of oneDNN for such ones (seen in LibTorch 2.13, float32 and
/// bfloat16, on two threads) writes past its buffers where input channels are no multiple of 16 and the batch does not divide evenly among
/// the threads.
static bool picksPixels(const at::Tensor &x, const at::Tensor &w, int64_t stride, int64_t padding, int64_t groups) {
  return !at::tracer::impl::is_dispatch_enabled() && x.is_cpu() && x.dim() == 4 && w.dim() == 4 && w.size(2) == 1 && w.size(3) == 1 && stride > 1 && padding == 0 && groups == 1 &&
         w.size(1) % 16 != 0;
}
CTTensor ct_conv2d(CTTensor x, CTTensor w, CTTensor b, int64_t stride, int64_t padding, int64_t groups) {
  return tensor([&] {
    at::Tensor input = get(x);
    if (picksPixels(input, get(w), stride, padding, groups)) {
      input = input.slice(2, 0, std::nullopt, stride).slice(3, 0, std::nullopt, stride).contiguous(input.suggest_memory_format());
      stride = 1;
    }
    return at::conv2d(input, get(w), optional(b), stride, padding, 1, groups);
  });
}
CTTensor ct_conv2d_weight_gradient(CTTensor x, CTTensor g, int64_t height, int64_t width, int64_t stride, int64_t padding, int64_t groups) {
  return tensor([&] {
    at::Tensor input = get(x), output = get(g);
    if (height == 1 && width == 1 && padding == 0 && stride > 1) {  // As in ct_conv2d.
      input = input.slice(2, 0, std::nullopt, stride).slice(3, 0, std::nullopt, stride).contiguous(input.suggest_memory_format());
      stride = 1;
    }
    // Of the weight, the shape alone matters.
    const at::Tensor w = at::empty({output.size(1), input.size(1) / groups, height, width}, input.options());
    return std::get<1>(at::convolution_backward(output, input, w, std::nullopt, {stride, stride}, {padding, padding}, {1, 1}, false, {0, 0}, groups, {false, true, false}));
  });
}
CTTensor ct_conv_transpose2d(CTTensor x, CTTensor w, CTTensor b, int64_t stride, int64_t padding, int64_t output_padding) {
  return tensor([&] { return at::conv_transpose2d(get(x), get(w), optional(b), stride, padding, output_padding); });
}
CTTensor ct_batch_norm(CTTensor x, CTTensor w, CTTensor b, CTTensor mean, CTTensor var, bool training, double momentum, double eps) {
  return tensor([&] {
    return at::batch_norm(get(x), optional(w), optional(b), optional(mean), optional(var), training, momentum, eps, true);
  });
}
CTTensor ct_layer_norm(CTTensor x, const int64_t *shape, int64_t n, CTTensor w, CTTensor b, double eps) {
  return tensor([&] { return at::layer_norm(get(x), ints(shape, n), optional(w), optional(b), eps); });
}
CTTensor ct_max_pool2d(CTTensor x, int64_t kernel, int64_t stride, int64_t padding) {
  return tensor([&] { return at::max_pool2d(get(x), kernel, stride, padding); });
}
CTTensor ct_avg_pool2d(CTTensor x, int64_t kernel, int64_t stride, int64_t padding) {
  return tensor([&] { return at::avg_pool2d(get(x), kernel, stride, padding); });
}
CTTensor ct_adaptive_avg_pool2d(CTTensor x, int64_t height, int64_t width) {
  return tensor([&] { return at::adaptive_avg_pool2d(get(x), {height, width}); });
}
CTTensor ct_leaky_relu(CTTensor x, double slope) {
  return tensor([&] { return at::leaky_relu(get(x), slope); });
}
CTTensor ct_gelu(CTTensor x) {
  return tensor([&] { return at::gelu(get(x)); });
}
CTTensor ct_silu(CTTensor x) {
  return tensor([&] { return at::silu(get(x)); });
}
CTTensor ct_scaled_dot_product_attention(CTTensor q, CTTensor k, CTTensor v) {
  return tensor([&] {
    const bool records = c10::GradMode::is_enabled() && (get(q).requires_grad() || get(k).requires_grad() || get(v).requires_grad());
    // The fused kernels can be differentiated once only, and defenses need second derivatives.
    return records ? std::get<0>(at::_scaled_dot_product_attention_math(get(q), get(k), get(v)))
                   : at::scaled_dot_product_attention(get(q), get(k), get(v));
  });
}
CTTensor ct_softmax(CTTensor x, int64_t dim) {
  return tensor([&] { return at::softmax(get(x), dim); });
}
CTTensor ct_log_softmax(CTTensor x, int64_t dim) {
  return tensor([&] { return at::log_softmax(get(x), dim); });
}
CTTensor ct_cross_entropy(CTTensor x, CTTensor target, CTTensor weight, int reduction, double smoothing) {
  return tensor([&] { return at::cross_entropy_loss(get(x), get(target), optional(weight), reduction, -100, smoothing); });
}
CTTensor ct_mse_loss(CTTensor x, CTTensor target, int reduction) {
  return tensor([&] { return at::mse_loss(get(x), get(target), reduction); });
}
CTTensor ct_bce_with_logits(CTTensor x, CTTensor target, int reduction) {
  return tensor([&] { return at::binary_cross_entropy_with_logits(get(x), get(target), {}, {}, reduction); });
}
CTTensor ct_interpolate(CTTensor x, int64_t height, int64_t width, int mode, bool align, bool antialias) {
  return tensor([&] {
    std::array<int64_t, 2> size{height, width};
    if (mode == 0) return at::upsample_nearest2d(get(x), size);
    if (mode == 1) return antialias ? at::_upsample_bilinear2d_aa(get(x), size, align) : at::upsample_bilinear2d(get(x), size, align);
    return antialias ? at::_upsample_bicubic2d_aa(get(x), size, align) : at::upsample_bicubic2d(get(x), size, align);
  });
}
CTTensor ct_grid_sample(CTTensor x, CTTensor grid, int mode, bool align) {
  return tensor([&] { return at::grid_sampler(get(x), get(grid), mode, /*padding_mode: zeros*/ 0, align); });
}
CTTensor ct_affine_grid(CTTensor theta, const int64_t *s, int64_t n, bool align) {
  return tensor([&] { return at::affine_grid_generator(get(theta), ints(s, n), align); });
}

}  // extern "C"
