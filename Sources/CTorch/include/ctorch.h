// CTorch: a C ABI over LibTorch.
//
// Conventions
//  * A CTTensor is an owned handle; release it with ct_release. A NULL result means that the call failed: ct_error_message() then
//    says why, for the calling thread, until its next failing call.
//  * Functions that return int return 0 on success and -1 on failure.
//  * Nothing throws across this boundary.
//  * dtypes are c10::ScalarType values, devices are (type, index) with type 0 = CPU, 1 = CUDA; index -1 = current.
//  * Optional tensors are NULL. Optional integers are passed with a flag.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__clang__)
#pragma clang assume_nonnull begin
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct CTTensorBox *CTTensor;
typedef struct CTGeneratorBox *CTGenerator;

#define CT_OPT _Nullable

enum { CT_ERROR_NONE = 0, CT_ERROR_OPERATION = 1, CT_ERROR_OUT_OF_MEMORY = 2 };
const char *ct_error_message(void);
int ct_error_kind(void);

// runtime.cpp ------------------------------------------------------------------------------------------------------------
const char *ct_version(void);
const char *ct_build_configuration(void);
const char *ct_library_path(void);
int ct_cuda_device_count(void);
int ct_cuda_synchronize(void);
int ct_num_threads(void);
void ct_set_num_threads(int n);
bool ct_cpu_has_avx512_bf16(void);
bool ct_cpu_has_amx_bf16(void);
const char *ct_cpu_capability(void);
bool ct_grad_enabled(void);
void ct_set_grad_enabled(bool enabled);
bool ct_autocast_enabled(int device_type);
int ct_autocast_dtype(int device_type);
int ct_autocast_enter(int device_type, bool enabled, int dtype);
int ct_autocast_exit(int device_type, bool enabled, int dtype);
void ct_set_denormals_flushed(bool flush);
void ct_keep_freed_memory(void);

// tensor.cpp: handles, creation, conversion, shape ---------------------------------------------------------------------------
void ct_release(CTTensor t);
int64_t ct_dim(CTTensor t);
void ct_sizes(CTTensor t, int64_t *out);
int64_t ct_numel(CTTensor t);
int ct_dtype(CTTensor t);
int ct_device_type(CTTensor t);
int ct_device_index(CTTensor t);
bool ct_is_contiguous(CTTensor t, int memory_format);
void *CT_OPT ct_data(CTTensor t);
int ct_item_double(CTTensor t, double *out);
int ct_item_int(CTTensor t, int64_t *out);

CTTensor CT_OPT ct_empty(const int64_t *sizes, int64_t dim, int dtype, int device_type, int device_index);
CTTensor CT_OPT ct_full(const int64_t *sizes, int64_t dim, double value, int dtype, int device_type, int device_index);
CTTensor CT_OPT ct_from_bytes(const void *bytes, const int64_t *sizes, int64_t dim, int dtype);
CTTensor CT_OPT ct_arange(double start, double end, double step, int dtype, int device_type, int device_index);
CTTensor CT_OPT ct_linspace(double start, double end, int64_t steps, int dtype, int device_type, int device_index);
CTTensor CT_OPT ct_eye(int64_t n, int dtype, int device_type, int device_index);

CTTensor CT_OPT ct_to(CTTensor t, int dtype, int device_type, int device_index);
CTTensor CT_OPT ct_contiguous(CTTensor t, int memory_format);
CTTensor CT_OPT ct_clone(CTTensor t);
CTTensor CT_OPT ct_detach(CTTensor t);
int ct_copy_(CTTensor dst, CTTensor src);
int ct_set_data(CTTensor dst, CTTensor src);

CTTensor CT_OPT ct_reshape(CTTensor t, const int64_t *sizes, int64_t dim);
CTTensor CT_OPT ct_permute(CTTensor t, const int64_t *dims, int64_t n);
CTTensor CT_OPT ct_transpose(CTTensor t, int64_t a, int64_t b);
CTTensor CT_OPT ct_expand(CTTensor t, const int64_t *sizes, int64_t dim);
CTTensor CT_OPT ct_repeat(CTTensor t, const int64_t *times, int64_t dim);
CTTensor CT_OPT ct_flatten(CTTensor t, int64_t start, int64_t end);
CTTensor CT_OPT ct_squeeze(CTTensor t, int64_t dim);
CTTensor CT_OPT ct_unsqueeze(CTTensor t, int64_t dim);
CTTensor CT_OPT ct_flip(CTTensor t, const int64_t *dims, int64_t n);
CTTensor CT_OPT ct_roll(CTTensor t, int64_t shift, int64_t dim);
CTTensor CT_OPT ct_select(CTTensor t, int64_t dim, int64_t index);
CTTensor CT_OPT ct_slice(CTTensor t, int64_t dim, int64_t start, int64_t end, int64_t step);
CTTensor CT_OPT ct_cat(const CTTensor CT_OPT *_Nonnull ts, int64_t n, int64_t dim);
CTTensor CT_OPT ct_stack(const CTTensor CT_OPT *_Nonnull ts, int64_t n, int64_t dim);
CTTensor CT_OPT ct_pad(CTTensor t, const int64_t *pads, int64_t n, int mode, double value);
CTTensor CT_OPT ct_index_select(CTTensor t, int64_t dim, CTTensor index);
CTTensor CT_OPT ct_index(CTTensor t, const CTTensor CT_OPT *_Nonnull indices, int64_t n);
int ct_index_put_(CTTensor t, const CTTensor CT_OPT *_Nonnull indices, int64_t n, CTTensor values, bool accumulate);
CTTensor CT_OPT ct_gather(CTTensor t, int64_t dim, CTTensor index);
CTTensor CT_OPT ct_scatter(CTTensor t, int64_t dim, CTTensor index, CTTensor src);
CTTensor CT_OPT ct_scatter_value(CTTensor t, int64_t dim, CTTensor index, double value);
CTTensor CT_OPT ct_masked_fill(CTTensor t, CTTensor mask, double value);
CTTensor CT_OPT ct_masked_select(CTTensor t, CTTensor mask);
CTTensor CT_OPT ct_nonzero(CTTensor t);
CTTensor CT_OPT ct_one_hot(CTTensor t, int64_t classes);

// pointwise.cpp ----------------------------------------------------------------------------------------------------------------
#define CT_UNARY_OPS(X)                                                                                              \
  X(abs) X(neg) X(sign) X(exp) X(log) X(sqrt) X(rsqrt) X(reciprocal) X(square) X(sin) X(cos) X(tanh) X(atanh)        \
  X(sigmoid) X(relu) X(floor) X(round) X(isfinite) X(logical_not)
#define CT_BINARY_OPS(X)                                                                                             \
  X(add) X(sub) X(mul) X(div) X(maximum) X(minimum) X(eq) X(ne) X(lt) X(le) X(gt) X(ge) X(logical_and) X(logical_or) \
  X(pow)
#define CT_SCALAR_OPS(X) X(add) X(sub) X(mul) X(div) X(eq) X(ne) X(lt) X(le) X(gt) X(ge) X(pow) X(remainder)

#define CT_DECLARE_UNARY(name) CTTensor CT_OPT ct_##name(CTTensor t);
#define CT_DECLARE_BINARY(name) CTTensor CT_OPT ct_##name(CTTensor a, CTTensor b);
#define CT_DECLARE_SCALAR(name) CTTensor CT_OPT ct_##name##_scalar(CTTensor a, double b);
CT_UNARY_OPS(CT_DECLARE_UNARY)
CT_BINARY_OPS(CT_DECLARE_BINARY)
CT_SCALAR_OPS(CT_DECLARE_SCALAR)

/// b - a
CTTensor CT_OPT ct_rsub_scalar(CTTensor a, double b);
CTTensor CT_OPT ct_clamp(CTTensor t, double low, double high);
CTTensor CT_OPT ct_clamp_tensor(CTTensor t, CTTensor CT_OPT low, CTTensor CT_OPT high);
CTTensor CT_OPT ct_where(CTTensor condition, CTTensor a, CTTensor b);
CTTensor CT_OPT ct_lerp(CTTensor a, CTTensor b, double weight);
int ct_add_(CTTensor a, CTTensor b, double alpha);
int ct_add_scalar_(CTTensor a, double b);
int ct_mul_(CTTensor a, CTTensor b);
int ct_mul_scalar_(CTTensor a, double b);
int ct_clamp_(CTTensor a, double low, double high);
int ct_fill_(CTTensor a, double value);

// reduction.cpp ----------------------------------------------------------------------------------------------------------------
// dims == NULL reduces over all dimensions.
CTTensor CT_OPT ct_sum(CTTensor t, const int64_t *CT_OPT dims, int64_t n, bool keep);
CTTensor CT_OPT ct_mean(CTTensor t, const int64_t *CT_OPT dims, int64_t n, bool keep);
CTTensor CT_OPT ct_var(CTTensor t, const int64_t *CT_OPT dims, int64_t n, double correction, bool keep);
CTTensor CT_OPT ct_amax(CTTensor t, const int64_t *CT_OPT dims, int64_t n, bool keep);
CTTensor CT_OPT ct_amin(CTTensor t, const int64_t *CT_OPT dims, int64_t n, bool keep);
CTTensor CT_OPT ct_norm(CTTensor t, double p, const int64_t *CT_OPT dims, int64_t n, bool keep);
CTTensor CT_OPT ct_argmax(CTTensor t, int64_t dim, bool keep);
CTTensor CT_OPT ct_argmin(CTTensor t, int64_t dim, bool keep);
CTTensor CT_OPT ct_all(CTTensor t);
CTTensor CT_OPT ct_any(CTTensor t);
CTTensor CT_OPT ct_any_dim(CTTensor t, int64_t dim, bool keep);
CTTensor CT_OPT ct_all_dim(CTTensor t, int64_t dim, bool keep);
CTTensor CT_OPT ct_cumsum(CTTensor t, int64_t dim);
CTTensor CT_OPT ct_bincount(CTTensor t, int64_t minimum_length);
CTTensor CT_OPT ct_argsort(CTTensor t, int64_t dim, bool descending);
int ct_sort(CTTensor t, int64_t dim, bool descending, CTTensor CT_OPT *_Nonnull values, CTTensor CT_OPT *_Nonnull indices);
int ct_topk(CTTensor t, int64_t k, int64_t dim, bool largest, CTTensor CT_OPT *_Nonnull values, CTTensor CT_OPT *_Nonnull indices);
int ct_max_dim(CTTensor t, int64_t dim, bool keep, CTTensor CT_OPT *_Nonnull values, CTTensor CT_OPT *_Nonnull indices);
int ct_min_dim(CTTensor t, int64_t dim, bool keep, CTTensor CT_OPT *_Nonnull values, CTTensor CT_OPT *_Nonnull indices);

// linalg.cpp -------------------------------------------------------------------------------------------------------------------
CTTensor CT_OPT ct_matmul(CTTensor a, CTTensor b);
int ct_svd(CTTensor t, CTTensor CT_OPT *_Nonnull u, CTTensor CT_OPT *_Nonnull s, CTTensor CT_OPT *_Nonnull vt);
CTTensor CT_OPT ct_svdvals(CTTensor t);

// nn.cpp -----------------------------------------------------------------------------------------------------------------------
CTTensor CT_OPT ct_linear(CTTensor x, CTTensor w, CTTensor CT_OPT b);
CTTensor CT_OPT ct_conv2d(CTTensor x, CTTensor w, CTTensor CT_OPT b, int64_t stride, int64_t padding, int64_t groups);
// The gradient of a convolution's weight from that of its output.
CTTensor CT_OPT ct_conv2d_weight_gradient(CTTensor x, CTTensor g, int64_t height, int64_t width, int64_t stride, int64_t padding,
                                          int64_t groups);
CTTensor CT_OPT ct_conv_transpose2d(CTTensor x, CTTensor w, CTTensor CT_OPT b, int64_t stride, int64_t padding, int64_t output_padding);
CTTensor CT_OPT ct_batch_norm(CTTensor x, CTTensor CT_OPT w, CTTensor CT_OPT b, CTTensor CT_OPT mean, CTTensor CT_OPT var,
                              bool training, double momentum, double eps);
CTTensor CT_OPT ct_group_norm(CTTensor x, int64_t groups, CTTensor CT_OPT w, CTTensor CT_OPT b, double eps);
CTTensor CT_OPT ct_layer_norm(CTTensor x, const int64_t *shape, int64_t n, CTTensor CT_OPT w, CTTensor CT_OPT b, double eps);
CTTensor CT_OPT ct_max_pool2d(CTTensor x, int64_t kernel, int64_t stride, int64_t padding);
CTTensor CT_OPT ct_avg_pool2d(CTTensor x, int64_t kernel, int64_t stride, int64_t padding);
CTTensor CT_OPT ct_adaptive_avg_pool2d(CTTensor x, int64_t height, int64_t width);
CTTensor CT_OPT ct_leaky_relu(CTTensor x, double slope);
CTTensor CT_OPT ct_gelu(CTTensor x);
CTTensor CT_OPT ct_silu(CTTensor x);
// softmax(q k^T / sqrt(d)) v of N x heads x T x d.
CTTensor CT_OPT ct_scaled_dot_product_attention(CTTensor q, CTTensor k, CTTensor v);
CTTensor CT_OPT ct_softmax(CTTensor x, int64_t dim);
CTTensor CT_OPT ct_log_softmax(CTTensor x, int64_t dim);
// reduction: 0 none, 1 mean, 2 sum. target: int64 classes or float probabilities.
CTTensor CT_OPT ct_cross_entropy(CTTensor x, CTTensor target, CTTensor CT_OPT weight, int reduction, double label_smoothing);
CTTensor CT_OPT ct_mse_loss(CTTensor x, CTTensor target, int reduction);
CTTensor CT_OPT ct_bce_with_logits(CTTensor x, CTTensor target, int reduction);
// mode: 0 nearest, 1 bilinear, 2 bicubic.
CTTensor CT_OPT ct_interpolate(CTTensor x, int64_t height, int64_t width, int mode, bool align_corners, bool antialias);
// mode: 0 bilinear, 1 nearest, 2 bicubic. Outside the image there are zeros.
CTTensor CT_OPT ct_grid_sample(CTTensor x, CTTensor grid, int mode, bool align_corners);
CTTensor CT_OPT ct_affine_grid(CTTensor theta, const int64_t *sizes, int64_t n, bool align_corners);

// autograd.cpp -----------------------------------------------------------------------------------------------------------------
bool ct_requires_grad(CTTensor t);
int ct_set_requires_grad(CTTensor t, bool on);
CTTensor CT_OPT ct_gradient_of(CTTensor t);
int ct_set_gradient_of(CTTensor t, CTTensor CT_OPT g);
int ct_backward(CTTensor t, CTTensor CT_OPT gradient, bool retain_graph, bool create_graph);
// out holds m handles; an input that the outputs do not depend on gets NULL when allow_unused.
int ct_grad(const CTTensor CT_OPT *_Nonnull outputs, int64_t n, const CTTensor CT_OPT *_Nonnull inputs, int64_t m,
            const CTTensor CT_OPT *CT_OPT grad_outputs, bool retain_graph, bool create_graph, bool allow_unused,
            CTTensor CT_OPT *_Nonnull out);

// optimizer.cpp ----------------------------------------------------------------------------------------------------------------
int ct_fused_sgd_(const CTTensor CT_OPT *_Nonnull params, const CTTensor CT_OPT *_Nonnull grads,
                  const CTTensor CT_OPT *CT_OPT momentum_buffers, int64_t n, double weight_decay, double momentum, double lr,
                  bool nesterov, bool is_first_step);
int ct_fused_adam_(const CTTensor CT_OPT *_Nonnull params, const CTTensor CT_OPT *_Nonnull grads,
                   const CTTensor CT_OPT *_Nonnull exp_avgs, const CTTensor CT_OPT *_Nonnull exp_avg_sqs,
                   const CTTensor CT_OPT *CT_OPT max_exp_avg_sqs, const CTTensor CT_OPT *_Nonnull steps, int64_t n, double lr,
                   double beta1, double beta2, double weight_decay, double eps, bool amsgrad, bool decoupled);
int ct_foreach_lerp_(const CTTensor CT_OPT *_Nonnull a, const CTTensor CT_OPT *_Nonnull b, int64_t n, double weight);
int ct_foreach_add_scalar_(const CTTensor CT_OPT *_Nonnull a, int64_t n, double value);
int ct_foreach_mul_scalar_(const CTTensor CT_OPT *_Nonnull a, int64_t n, double value);
// The 2-norm of all tensors together, on their device.
CTTensor CT_OPT ct_foreach_total_norm(const CTTensor CT_OPT *_Nonnull a, int64_t n);

// random.cpp -------------------------------------------------------------------------------------------------------------------
CTGenerator CT_OPT ct_generator(int device_type, int device_index, uint64_t seed);
void ct_generator_release(CTGenerator g);
int ct_generator_seed(CTGenerator g, uint64_t seed);
CTTensor CT_OPT ct_generator_state(CTGenerator g);
int ct_generator_set_state(CTGenerator g, CTTensor state);
CTTensor CT_OPT ct_rand(const int64_t *sizes, int64_t dim, CTGenerator g, int dtype, int device_type, int device_index);
CTTensor CT_OPT ct_randn(const int64_t *sizes, int64_t dim, CTGenerator g, int dtype, int device_type, int device_index);
CTTensor CT_OPT ct_randint(int64_t low, int64_t high, const int64_t *sizes, int64_t dim, CTGenerator g, int device_type,
                           int device_index);
CTTensor CT_OPT ct_randperm(int64_t n, CTGenerator g, int device_type, int device_index);
CTTensor CT_OPT ct_multinomial(CTTensor probabilities, int64_t count, bool replacement, CTGenerator g);

#ifdef __cplusplus
}
#endif

#if defined(__clang__)
#pragma clang assume_nonnull end
#endif
