#include <torch/csrc/autograd/autograd.h>

#include "shim.h"

using namespace ct;

extern "C" {

bool ct_requires_grad(CTTensor t) { return get(t).requires_grad(); }
int ct_set_requires_grad(CTTensor t, bool on) {
  return status([&] { get(t).set_requires_grad(on); });
}
CTTensor ct_gradient_of(CTTensor t) {
  const at::Tensor &g = get(t).grad();
  if (!g.defined()) return nullptr;
  return tensor([&] { return at::Tensor(g); });
}
int ct_set_gradient_of(CTTensor t, CTTensor g) {
  return status([&] { get(t).mutable_grad() = optional(g); });
}
int ct_backward(CTTensor t, CTTensor gradient, bool retain, bool create) {
  return status([&] {
    std::vector<at::Tensor> seeds;
    if (gradient) seeds.push_back(get(gradient));
    torch::autograd::backward({get(t)}, seeds, retain, create);
  });
}
int ct_grad(const CTTensor *outputs, int64_t n, const CTTensor *inputs, int64_t m, const CTTensor *grad_outputs, bool retain,
            bool create, bool allow_unused, CTTensor *out) {
  return status([&] {
    std::vector<at::Tensor> seeds;
    if (grad_outputs) seeds = list(grad_outputs, n);
    auto grads = torch::autograd::grad(list(outputs, n), list(inputs, m), seeds, retain, create, allow_unused);
    for (int64_t i = 0; i < m; ++i) out[i] = grads[i].defined() ? wrap(std::move(grads[i])) : nullptr;
  });
}

}  // extern "C"
