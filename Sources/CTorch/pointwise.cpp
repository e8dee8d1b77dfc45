#include <ATen/ops/rsub.h>
#include <ATen/ops/where.h>

#include <cmath>

#include "shim.h"

using namespace ct;

extern "C" {

#define CT_DEFINE_UNARY(name) \
  CTTensor ct_##name(CTTensor t) { \
    return tensor([&] { return get(t).name(); }); \
  }
#define CT_DEFINE_BINARY(name) \
  CTTensor ct_##name(CTTensor a, CTTensor b) { \
    return tensor([&] { return get(a).name(get(b)); }); \
  }
#define CT_DEFINE_SCALAR(name) \
  CTTensor ct_##name##_scalar(CTTensor a, double b) { \
    return tensor([&] { return get(a).name(scalar(get(a), b)); }); \
  }

}  // extern "C"

namespace {
// Keeps integer tensors integer when the scalar is a whole number, as Python's ints do.
at::Scalar scalar(const at::Tensor &t, double v) {
  if (!t.is_floating_point() && std::nearbyint(v) == v && std::abs(v) < 0x1p63) return at::Scalar(static_cast<int64_t>(v));
  return at::Scalar(v);
}
// Infinite bounds are none.
std::pair<std::optional<at::Scalar>, std::optional<at::Scalar>> bounds(const at::Tensor &t, double low, double high) {
  std::optional<at::Scalar> l, h;
  if (!std::isinf(low)) l = scalar(t, low);
  if (!std::isinf(high)) h = scalar(t, high);
  return {l, h};
}
}  // namespace

extern "C" {

CT_UNARY_OPS(CT_DEFINE_UNARY)
CT_BINARY_OPS(CT_DEFINE_BINARY)
CT_SCALAR_OPS(CT_DEFINE_SCALAR)

CTTensor ct_rsub_scalar(CTTensor a, double b) {
  return tensor([&] { return at::rsub(get(a), scalar(get(a), b)); });
}
CTTensor ct_clamp(CTTensor t, double low, double high) {
  return tensor([&] {
    auto [l, h] = bounds(get(t), low, high);
    return get(t).clamp(l, h);
  });
}
CTTensor ct_clamp_tensor(CTTensor t, CTTensor low, CTTensor high) {
  return tensor([&] {
    std::optional<at::Tensor> l, h;
    if (low) l = get(low);
    if (high) h = get(high);
    return get(t).clamp(l, h);
  });
}
CTTensor ct_where(CTTensor c, CTTensor a, CTTensor b) {
  return tensor([&] { return at::where(get(c), get(a), get(b)); });
}
CTTensor ct_lerp(CTTensor a, CTTensor b, double w) {
  return tensor([&] { return get(a).lerp(get(b), w); });
}
int ct_add_(CTTensor a, CTTensor b, double alpha) {
  return status([&] { get(a).add_(get(b), scalar(get(a), alpha)); });
}
int ct_add_scalar_(CTTensor a, double b) {
  return status([&] { get(a).add_(scalar(get(a), b)); });
}
int ct_mul_(CTTensor a, CTTensor b) {
  return status([&] { get(a).mul_(get(b)); });
}
int ct_mul_scalar_(CTTensor a, double b) {
  return status([&] { get(a).mul_(scalar(get(a), b)); });
}
int ct_clamp_(CTTensor a, double low, double high) {
  return status([&] {
    auto [l, h] = bounds(get(a), low, high);
    get(a).clamp_(l, h);
  });
}
int ct_fill_(CTTensor a, double value) {
  return status([&] { get(a).fill_(scalar(get(a), value)); });
}

}  // extern "C"
