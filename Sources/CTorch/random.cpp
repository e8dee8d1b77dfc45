#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/randperm.h>

#include "shim.h"

using namespace ct;

extern "C" {

CTGenerator ct_generator(int type, int index, uint64_t seed) {
  return guarded<CTGenerator>(nullptr, [&] {
    at::Generator g = type == 1 ? at::globalContext().defaultGenerator(device(type, index)).clone() : at::detail::createCPUGenerator();
    g.set_current_seed(seed);
    return new CTGeneratorBox{std::move(g)};
  });
}
void ct_generator_release(CTGenerator g) { delete g; }
int ct_generator_seed(CTGenerator g, uint64_t seed) {
  return status([&] { g->value.set_current_seed(seed); });
}
CTTensor ct_generator_state(CTGenerator g) {
  return tensor([&] { return g->value.get_state(); });
}
int ct_generator_set_state(CTGenerator g, CTTensor state) {
  return status([&] { g->value.set_state(get(state)); });
}
CTTensor ct_rand(const int64_t *s, int64_t n, CTGenerator g, int dtype, int type, int index) {
  return tensor([&] { return at::rand(ints(s, n), g->value, options(dtype, type, index)); });
}
CTTensor ct_randn(const int64_t *s, int64_t n, CTGenerator g, int dtype, int type, int index) {
  return tensor([&] { return at::randn(ints(s, n), g->value, options(dtype, type, index)); });
}
CTTensor ct_randint(int64_t low, int64_t high, const int64_t *s, int64_t n, CTGenerator g, int type, int index) {
  return tensor([&] {
    return at::randint(low, high, ints(s, n), g->value, options(static_cast<int>(at::kLong), type, index));
  });
}
CTTensor ct_randperm(int64_t n, CTGenerator g, int type, int index) {
  return tensor([&] { return at::randperm(n, g->value, options(static_cast<int>(at::kLong), type, index)); });
}
CTTensor ct_multinomial(CTTensor p, int64_t count, bool replacement, CTGenerator g) {
  return tensor([&] { return get(p).multinomial(count, replacement, g->value); });
}

}  // extern "C"
