// What every topic file shares: handles, and the guard that turns C++ exceptions into a status with a message.
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>

#include <string>
#include <vector>

#include "include/ctorch.h"

#pragma clang diagnostic ignored "-Wnullability-completeness"

struct CTTensorBox {
  at::Tensor value;
};
struct CTGeneratorBox {
  at::Generator value;
};

namespace ct {

void fail(int kind, const char *message) noexcept;

inline CTTensor wrap(at::Tensor &&t) { return new CTTensorBox{std::move(t)}; }
inline const at::Tensor &get(CTTensor t) { return t->value; }
inline at::Tensor optional(CTTensor t) { return t ? t->value : at::Tensor(); }
inline at::IntArrayRef ints(const int64_t *p, int64_t n) { return at::IntArrayRef(p, static_cast<size_t>(n)); }

inline std::vector<at::Tensor> list(const CTTensor *ts, int64_t n) {
  std::vector<at::Tensor> out;
  out.reserve(n);
  for (int64_t i = 0; i < n; ++i) out.push_back(optional(ts[i]));
  return out;
}

/// A tensor's values, of dtype T. `const_data_ptr<T>()` is not in every LibTorch that GCC has built, by the name that Clang
/// gives it (2.11's templates have none).
template <class T>
const T *values(const at::Tensor &t) {
  TORCH_CHECK(t.scalar_type() == c10::CppTypeToScalarType<T>::value, "values of another dtype than ", t.scalar_type());
  return static_cast<const T *>(t.const_data_ptr());
}

inline at::Device device(int type, int index) {
  return at::Device(type == 1 ? at::kCUDA : at::kCPU, static_cast<c10::DeviceIndex>(type == 1 ? index : -1));
}
inline at::TensorOptions options(int dtype, int type, int index) {
  return at::TensorOptions().dtype(static_cast<at::ScalarType>(dtype)).device(device(type, index));
}

/// Runs `body`; on a C++ exception records its message and returns `failed`.
template <class R, class F>
R guarded(R failed, F &&body) noexcept {
  try {
    return body();
  } catch (const c10::OutOfMemoryError &e) {
    fail(CT_ERROR_OUT_OF_MEMORY, e.what_without_backtrace());
  } catch (const c10::Error &e) {
    fail(CT_ERROR_OPERATION, e.what_without_backtrace());
  } catch (const std::bad_alloc &e) {
    fail(CT_ERROR_OUT_OF_MEMORY, e.what());
  } catch (const std::exception &e) {
    fail(CT_ERROR_OPERATION, e.what());
  } catch (...) {
    fail(CT_ERROR_OPERATION, "an unknown C++ exception");
  }
  return failed;
}

template <class F>
CTTensor tensor(F &&body) noexcept {
  return guarded<CTTensor>(nullptr, [&] { return wrap(body()); });
}
template <class F>
int status(F &&body) noexcept {
  return guarded<int>(-1, [&] {
    body();
    return 0;
  });
}

}  // namespace ct
