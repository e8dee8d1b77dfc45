#include <ATen/ops/linalg_eigh.h>
#include <ATen/ops/linalg_qr.h>
#include <ATen/ops/linalg_svd.h>
#include <ATen/ops/linalg_svdvals.h>

#include "shim.h"

using namespace ct;

extern "C" {

CTTensor ct_matmul(CTTensor a, CTTensor b) {
  return tensor([&] { return get(a).matmul(get(b)); });
}
int ct_svd(CTTensor t, CTTensor *u, CTTensor *s, CTTensor *vt) {
  return status([&] {
    auto [a, b, c] = at::linalg_svd(get(t), /*full_matrices=*/false);
    *u = wrap(std::move(a));
    *s = wrap(std::move(b));
    *vt = wrap(std::move(c));
  });
}
CTTensor ct_svdvals(CTTensor t) {
  return tensor([&] { return at::linalg_svdvals(get(t)); });
}
int ct_qr(CTTensor t, CTTensor *q, CTTensor *r) {
  return status([&] {
    auto [a, b] = at::linalg_qr(get(t));
    *q = wrap(std::move(a));
    *r = wrap(std::move(b));
  });
}
int ct_eigh(CTTensor t, CTTensor *values, CTTensor *vectors) {
  return status([&] {
    auto [a, b] = at::linalg_eigh(get(t));
    *values = wrap(std::move(a));
    *vectors = wrap(std::move(b));
  });
}

}  // extern "C"
