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

}  // extern "C"
