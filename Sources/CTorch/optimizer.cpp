#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_foreach_lerp.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_fused_adam.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/_fused_sgd.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/stack.h>

#include <stdexcept>

#include "shim.h"

using namespace ct;

namespace {

/// The gradients in their parameters' memory order: the fused kernels read both as flat arrays.
std::vector<at::Tensor> matched(const std::vector<at::Tensor> &params, std::vector<at::Tensor> grads) {
  for (size_t i = 0; i < params.size(); i++) {
    if (!grads[i].sizes().equals(params[i].sizes()))
      throw std::invalid_argument("a gradient has another shape than its parameter");
    if (!grads[i].strides().equals(params[i].strides())) grads[i] = at::empty_like(params[i]).copy_(grads[i]);
  }
  return grads;
}

}  // namespace

extern "C" {

int ct_fused_sgd_(const CTTensor *params, const CTTensor *grads, const CTTensor *momenta, int64_t n, double weight_decay,
                  double momentum, double lr, bool nesterov, bool first) {
  return status([&] {
    std::vector<at::Tensor> buffers;
    if (momenta) buffers = list(momenta, n);
    const auto p = list(params, n);
    at::_fused_sgd_(p, matched(p, list(grads, n)), buffers, weight_decay, momentum, lr, /*dampening=*/0, nesterov, /*maximize=*/false, first);
  });
}
int ct_fused_adam_(const CTTensor *params, const CTTensor *grads, const CTTensor *m, const CTTensor *v, const CTTensor *vmax,
                   const CTTensor *steps, int64_t n, double lr, double beta1, double beta2, double weight_decay, double eps,
                   bool amsgrad, bool decoupled) {
  return status([&] {
    std::vector<at::Tensor> maxima;
    if (vmax) maxima = list(vmax, n);
    const auto p = list(params, n), g = matched(p, list(grads, n));
    auto a = list(m, n), b = list(v, n), s = list(steps, n);
    if (decoupled)
      at::_fused_adamw_(p, g, a, b, maxima, s, lr, beta1, beta2, weight_decay, eps, amsgrad, /*maximize=*/false);
    else
      at::_fused_adam_(p, g, a, b, maxima, s, lr, beta1, beta2, weight_decay, eps, amsgrad, /*maximize=*/false);
  });
}
int ct_foreach_lerp_(const CTTensor *a, const CTTensor *b, int64_t n, double weight) {
  return status([&] { at::_foreach_lerp_(list(a, n), list(b, n), at::Scalar(weight)); });
}
int ct_foreach_add_scalar_(const CTTensor *a, int64_t n, double value) {
  return status([&] { at::_foreach_add_(list(a, n), at::Scalar(value)); });
}
int ct_foreach_mul_scalar_(const CTTensor *a, int64_t n, double value) {
  return status([&] { at::_foreach_mul_(list(a, n), at::Scalar(value)); });
}
CTTensor ct_foreach_total_norm(const CTTensor *a, int64_t n) {
  return tensor([&] { return at::linalg_vector_norm(at::stack(at::_foreach_norm(list(a, n))), 2); });
}

}  // extern "C"
