#include <ATen/ops/linalg_vector_norm.h>

#include "shim.h"

using namespace ct;

namespace {
at::OptionalIntArrayRef dimensions(const int64_t *p, int64_t n) {
  return p ? at::OptionalIntArrayRef(ints(p, n)) : at::OptionalIntArrayRef(std::nullopt);
}
at::IntArrayRef orAll(const int64_t *p, int64_t n) { return p ? ints(p, n) : at::IntArrayRef(); }
template <class F>
int pair(CTTensor *a, CTTensor *b, F &&body) noexcept {
  return status([&] {
    auto [x, y] = body();
    *a = wrap(at::Tensor(x));
    *b = wrap(at::Tensor(y));
  });
}
}  // namespace

extern "C" {

CTTensor ct_sum(CTTensor t, const int64_t *d, int64_t n, bool keep) {
  return tensor([&] { return get(t).sum(dimensions(d, n), keep); });
}
CTTensor ct_mean(CTTensor t, const int64_t *d, int64_t n, bool keep) {
  return tensor([&] { return get(t).mean(dimensions(d, n), keep); });
}
CTTensor ct_var(CTTensor t, const int64_t *d, int64_t n, double correction, bool keep) {
  return tensor([&] { return get(t).var(dimensions(d, n), std::optional<at::Scalar>(correction), keep); });
}
CTTensor ct_amax(CTTensor t, const int64_t *d, int64_t n, bool keep) {
  return tensor([&] { return get(t).amax(orAll(d, n), keep); });
}
CTTensor ct_amin(CTTensor t, const int64_t *d, int64_t n, bool keep) {
  return tensor([&] { return get(t).amin(orAll(d, n), keep); });
}
CTTensor ct_norm(CTTensor t, double p, const int64_t *d, int64_t n, bool keep) {
  return tensor([&] { return at::linalg_vector_norm(get(t), p, dimensions(d, n), keep); });
}
CTTensor ct_argmax(CTTensor t, int64_t d, bool keep) {
  return tensor([&] { return get(t).argmax(d, keep); });
}
CTTensor ct_argmin(CTTensor t, int64_t d, bool keep) {
  return tensor([&] { return get(t).argmin(d, keep); });
}
CTTensor ct_all(CTTensor t) {
  return tensor([&] { return get(t).all(); });
}
CTTensor ct_any(CTTensor t) {
  return tensor([&] { return get(t).any(); });
}
CTTensor ct_any_dim(CTTensor t, int64_t d, bool keep) {
  return tensor([&] { return get(t).any(d, keep); });
}
CTTensor ct_all_dim(CTTensor t, int64_t d, bool keep) {
  return tensor([&] { return get(t).all(d, keep); });
}
CTTensor ct_cumsum(CTTensor t, int64_t d) {
  return tensor([&] { return get(t).cumsum(d); });
}
CTTensor ct_bincount(CTTensor t, int64_t minimum) {
  return tensor([&] { return get(t).bincount({}, minimum); });
}
CTTensor ct_argsort(CTTensor t, int64_t d, bool descending) {
  return tensor([&] { return std::get<1>(get(t).sort(/*stable=*/true, d, descending)); });
}
int ct_sort(CTTensor t, int64_t d, bool descending, CTTensor *v, CTTensor *i) {
  return pair(v, i, [&] { return get(t).sort(/*stable=*/true, d, descending); });
}
int ct_topk(CTTensor t, int64_t k, int64_t d, bool largest, CTTensor *v, CTTensor *i) {
  return pair(v, i, [&] { return get(t).topk(k, d, largest, true); });
}
int ct_max_dim(CTTensor t, int64_t d, bool keep, CTTensor *v, CTTensor *i) {
  return pair(v, i, [&] { return get(t).max(d, keep); });
}
int ct_min_dim(CTTensor t, int64_t d, bool keep, CTTensor *v, CTTensor *i) {
  return pair(v, i, [&] { return get(t).min(d, keep); });
}

}  // extern "C"
