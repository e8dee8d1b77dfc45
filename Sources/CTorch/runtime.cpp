#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <ATen/autocast_mode.h>
#include <ATen/native/DispatchStub.h>
#include <c10/core/GradMode.h>
#include <dlfcn.h>
#include <malloc.h>
#include <torch/csrc/api/include/torch/version.h>

#include <cstdlib>
#include <limits>

#include "shim.h"

namespace {
thread_local std::string message;
thread_local int kind = CT_ERROR_NONE;

std::string libraryPath() {
  Dl_info info;
  if (dladdr(reinterpret_cast<void *>(&at::get_num_threads), &info) && info.dli_fname) return info.dli_fname;
  return "";
}

/// Passes warnings on but those about operations that have no deterministic form, which would come in every step.
struct OtherWarnings : c10::WarningHandler {
  void process(const c10::Warning &warning) override {
    if (warning.msg().find("deterministic") == std::string::npos) c10::WarningHandler::process(warning);
  }
};

/// The same seed gives the same bits on a GPU too, as far as its operations have deterministic forms.
void repeatBits() {
  static OtherWarnings handler;
  auto &context = at::globalContext();
  context.setDeterministicCuDNN(true);
  context.setDeterministicAlgorithms(true, /*warn_only=*/true);
  context.setDeterministicFillUninitializedMemory(false);
  c10::WarningUtils::set_warning_handler(&handler);
}

/// CUDA kernels register themselves when their library is loaded; a program that links the CPU names only must load it by hand.
bool loadCUDA() {
  std::string path = libraryPath();
  auto slash = path.find_last_of('/');
  std::string library = (slash == std::string::npos ? "" : path.substr(0, slash + 1)) + "libtorch_cuda.so";
  // cuBLAS repeats its bits only with a workspace of fixed size, which it reads when it starts.
  setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
  if (!dlopen(library.c_str(), RTLD_NOW | RTLD_GLOBAL) || !at::globalContext().hasCUDA()) return false;
  repeatBits();
  return true;
}
bool cuda() {
  static bool available = ct::guarded<bool>(false, [] { return loadCUDA(); });
  return available;
}
at::DeviceType deviceType(int type) { return type == 1 ? at::kCUDA : at::kCPU; }
}  // namespace

void ct::fail(int k, const char *m) noexcept {
  kind = k;
  try {
    message = m;
  } catch (...) {
    message.clear();
  }
}

extern "C" {

const char *ct_error_message(void) { return message.c_str(); }
int ct_error_kind(void) { return kind; }
const char *ct_version(void) { return TORCH_VERSION; }
const char *ct_build_configuration(void) {
  static std::string text = ct::guarded<std::string>("", [] { return at::show_config(); });
  return text.c_str();
}
const char *ct_library_path(void) {
  static std::string text = libraryPath();
  return text.c_str();
}
int ct_cuda_device_count(void) {
  if (!cuda()) return 0;
  return ct::guarded<int>(0, [] { return static_cast<int>(at::detail::getCUDAHooks().deviceCount()); });
}
int ct_cuda_synchronize(void) {
  return ct::status([] {
    if (cuda()) at::detail::getCUDAHooks().deviceSynchronize(-1);
  });
}
int ct_num_threads(void) { return at::get_num_threads(); }
void ct_set_num_threads(int n) {
  ct::status([&] { at::set_num_threads(n); });
}
bool ct_cpu_has_avx512_bf16(void) { return __builtin_cpu_supports("avx512bf16"); }
bool ct_cpu_has_amx_bf16(void) {
#if defined(__x86_64__)
  unsigned a = 7, b = 0, c = 0, d = 0;
  __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  return (d >> 22) & 1;
#else
  return false;
#endif
}
const char *ct_cpu_capability(void) {
  static std::string text = ct::guarded<std::string>("", [] { return at::get_cpu_capability(); });
  return text.c_str();
}
bool ct_grad_enabled(void) { return c10::GradMode::is_enabled(); }
void ct_set_grad_enabled(bool enabled) {
  if (enabled == c10::GradMode::is_enabled()) return;
  c10::GradMode::set_enabled(enabled);
  // Autocast keeps converted weights until its region ends. Those made before an optimizer's step, or without recording, must go.
  ct::status([] {
    if (at::autocast::is_autocast_enabled(at::kCPU) || at::autocast::is_autocast_enabled(at::kCUDA)) at::autocast::clear_cache();
  });
}
bool ct_autocast_enabled(int type) { return at::autocast::is_autocast_enabled(deviceType(type)); }
int ct_autocast_dtype(int type) { return static_cast<int>(at::autocast::get_autocast_dtype(deviceType(type))); }
int ct_autocast_enter(int type, bool enabled, int dtype) {
  return ct::status([&] {
    at::autocast::set_autocast_enabled(deviceType(type), enabled);
    at::autocast::set_autocast_dtype(deviceType(type), static_cast<at::ScalarType>(dtype));
    at::autocast::increment_nesting();
  });
}
int ct_autocast_exit(int type, bool enabled, int dtype) {
  return ct::status([&] {
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(deviceType(type), enabled);
    at::autocast::set_autocast_dtype(deviceType(type), static_cast<at::ScalarType>(dtype));
  });
}
void ct_set_denormals_flushed(bool flush) { at::globalContext().setFlushDenormal(flush); }
void ct_keep_freed_memory(void) {
#ifdef __GLIBC__
  // A user who has set the allocator by hand keeps that.
  for (const char *name : {"MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_", "GLIBC_TUNABLES"})
    if (std::getenv(name)) return;
  // Blocks beyond that go back at once: they are few, their pages cost little beside the work on them, and kept ones leave holes.
  mallopt(M_MMAP_THRESHOLD, 48 << 20);
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
  mallopt(M_TOP_PAD, 64 << 20);
#endif
}

}  // extern "C"
