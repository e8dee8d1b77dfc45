#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/one_hot.h>
#include <ATen/ops/pad.h>
#include <ATen/ops/scatter.h>
#include <ATen/ops/stack.h>
#include <ATen/core/List.h>

#include <cstring>

#include "shim.h"

using namespace ct;

namespace {
// A negative value leaves the dtype or memory format as it is.
at::MemoryFormat format(int f) { return f == 1 ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous; }
c10::List<std::optional<at::Tensor>> indexList(const CTTensor *ts, int64_t n) {
  c10::List<std::optional<at::Tensor>> out;
  for (int64_t i = 0; i < n; ++i) out.push_back(ts[i] ? std::optional<at::Tensor>(get(ts[i])) : std::nullopt);
  return out;
}
const char *padMode(int m) { return m == 1 ? "reflect" : "constant"; }
}  // namespace

extern "C" {

void ct_release(CTTensor t) { delete t; }
int64_t ct_dim(CTTensor t) { return get(t).dim(); }
void ct_sizes(CTTensor t, int64_t *out) {
  auto s = get(t).sizes();
  std::copy(s.begin(), s.end(), out);
}
int64_t ct_numel(CTTensor t) { return get(t).numel(); }
int ct_dtype(CTTensor t) { return static_cast<int>(get(t).scalar_type()); }
int ct_device_type(CTTensor t) { return get(t).is_cuda() ? 1 : 0; }
int ct_device_index(CTTensor t) { return get(t).device().index(); }
bool ct_is_contiguous(CTTensor t, int f) { return get(t).is_contiguous(format(f)); }
void *ct_data(CTTensor t) {
  return guarded<void *>(nullptr, [&] { return get(t).data_ptr(); });
}
int ct_item_double(CTTensor t, double *out) {
  return status([&] { *out = get(t).item().toDouble(); });
}
int ct_item_int(CTTensor t, int64_t *out) {
  return status([&] { *out = get(t).item().toLong(); });
}

CTTensor ct_empty(const int64_t *s, int64_t n, int dtype, int type, int index) {
  return tensor([&] { return at::empty(ints(s, n), options(dtype, type, index)); });
}
CTTensor ct_full(const int64_t *s, int64_t n, double value, int dtype, int type, int index) {
  return tensor([&] { return at::full(ints(s, n), value, options(dtype, type, index)); });
}
CTTensor ct_from_bytes(const void *bytes, const int64_t *s, int64_t n, int dtype) {
  return tensor([&] {
    at::Tensor t = at::empty(ints(s, n), options(dtype, 0, -1));
    if (t.nbytes() > 0) std::memcpy(t.data_ptr(), bytes, t.nbytes());
    return t;
  });
}
CTTensor ct_arange(double start, double end, double step, int dtype, int type, int index) {
  return tensor([&] { return at::arange(start, end, step, options(dtype, type, index)); });
}
CTTensor ct_linspace(double start, double end, int64_t steps, int dtype, int type, int index) {
  return tensor([&] { return at::linspace(start, end, steps, options(dtype, type, index)); });
}
CTTensor ct_eye(int64_t n, int dtype, int type, int index) {
  return tensor([&] { return at::eye(n, options(dtype, type, index)); });
}

CTTensor ct_to(CTTensor t, int dtype, int type, int index) {
  return tensor([&] {
    auto o = get(t).options();
    if (dtype >= 0) o = o.dtype(static_cast<at::ScalarType>(dtype));
    if (type >= 0) o = o.device(device(type, index));
    return get(t).to(o);
  });
}
CTTensor ct_contiguous(CTTensor t, int f) {
  return tensor([&] { return get(t).contiguous(format(f)); });
}
CTTensor ct_clone(CTTensor t) {
  return tensor([&] { return get(t).clone(); });
}
CTTensor ct_detach(CTTensor t) {
  return tensor([&] { return get(t).detach(); });
}
int ct_copy_(CTTensor dst, CTTensor src) {
  return status([&] { get(dst).copy_(get(src)); });
}
int ct_set_data(CTTensor dst, CTTensor src) {
  return status([&] { get(dst).set_data(get(src)); });
}

CTTensor ct_reshape(CTTensor t, const int64_t *s, int64_t n) {
  return tensor([&] { return get(t).reshape(ints(s, n)); });
}
CTTensor ct_permute(CTTensor t, const int64_t *d, int64_t n) {
  return tensor([&] { return get(t).permute(ints(d, n)); });
}
CTTensor ct_transpose(CTTensor t, int64_t a, int64_t b) {
  return tensor([&] { return get(t).transpose(a, b); });
}
CTTensor ct_expand(CTTensor t, const int64_t *s, int64_t n) {
  return tensor([&] { return get(t).expand(ints(s, n)); });
}
CTTensor ct_repeat(CTTensor t, const int64_t *s, int64_t n) {
  return tensor([&] { return get(t).repeat(ints(s, n)); });
}
CTTensor ct_flatten(CTTensor t, int64_t a, int64_t b) {
  return tensor([&] { return get(t).flatten(a, b); });
}
CTTensor ct_squeeze(CTTensor t, int64_t d) {
  return tensor([&] { return get(t).squeeze(d); });
}
CTTensor ct_unsqueeze(CTTensor t, int64_t d) {
  return tensor([&] { return get(t).unsqueeze(d); });
}
CTTensor ct_flip(CTTensor t, const int64_t *d, int64_t n) {
  return tensor([&] { return get(t).flip(ints(d, n)); });
}
CTTensor ct_roll(CTTensor t, int64_t shift, int64_t d) {
  return tensor([&] { return get(t).roll(shift, d); });
}
CTTensor ct_select(CTTensor t, int64_t d, int64_t i) {
  return tensor([&] { return get(t).select(d, i); });
}
CTTensor ct_slice(CTTensor t, int64_t d, int64_t start, int64_t end, int64_t step) {
  return tensor([&] { return get(t).slice(d, start, end, step); });
}
CTTensor ct_cat(const CTTensor *ts, int64_t n, int64_t d) {
  return tensor([&] { return at::cat(list(ts, n), d); });
}
CTTensor ct_stack(const CTTensor *ts, int64_t n, int64_t d) {
  return tensor([&] { return at::stack(list(ts, n), d); });
}
CTTensor ct_pad(CTTensor t, const int64_t *p, int64_t n, int mode, double value) {
  return tensor([&] {
    return at::pad(get(t), ints(p, n), padMode(mode), mode == 0 ? std::optional<double>(value) : std::nullopt);
  });
}
CTTensor ct_index_select(CTTensor t, int64_t d, CTTensor index) {
  return tensor([&] { return get(t).index_select(d, get(index)); });
}
CTTensor ct_index(CTTensor t, const CTTensor *indices, int64_t n) {
  return tensor([&] { return get(t).index(indexList(indices, n)); });
}
int ct_index_put_(CTTensor t, const CTTensor *indices, int64_t n, CTTensor values, bool accumulate) {
  return status([&] { get(t).index_put_(indexList(indices, n), get(values), accumulate); });
}
CTTensor ct_gather(CTTensor t, int64_t d, CTTensor index) {
  return tensor([&] { return get(t).gather(d, get(index)); });
}
CTTensor ct_scatter(CTTensor t, int64_t d, CTTensor index, CTTensor src) {
  return tensor([&] { return get(t).scatter(d, get(index), get(src)); });
}
CTTensor ct_scatter_value(CTTensor t, int64_t d, CTTensor index, double value) {
  return tensor([&] { return get(t).scatter(d, get(index), value); });
}
CTTensor ct_masked_fill(CTTensor t, CTTensor mask, double value) {
  return tensor([&] { return get(t).masked_fill(get(mask), value); });
}
CTTensor ct_masked_select(CTTensor t, CTTensor mask) {
  return tensor([&] { return get(t).masked_select(get(mask)); });
}
CTTensor ct_nonzero(CTTensor t) {
  return tensor([&] { return get(t).nonzero(); });
}
CTTensor ct_one_hot(CTTensor t, int64_t classes) {
  return tensor([&] { return at::one_hot(get(t), classes); });
}

}  // extern "C"
