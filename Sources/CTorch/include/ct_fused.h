// Operations that LibTorch runs as several passes over the memory, in as few as possible.
#pragma once

#include "ctorch.h"

#if defined(__clang__)
#pragma clang assume_nonnull begin
#endif

#ifdef __cplusplus
extern "C" {
#endif

/// relu(batch_norm(x)). Like ct_batch_norm, with `relu` on top.
CTTensor CT_OPT ct_batch_norm_relu(CTTensor x, CTTensor w, CTTensor b, CTTensor mean, CTTensor var, bool training, double momentum,
                                   double eps);

/// scale x + overlay, rounded half to even, clipped to 0...255: x uint8 N x ..., contiguous; overlay float32, as large as one x.
CTTensor CT_OPT ct_blend_bytes(CTTensor x, CTTensor overlay, double scale);
/// Each pixel the sum of four others of its plane, weighted, rounded half to even, clipped to 0...255: x uint8 N x C x H x W,
/// contiguous; places int32 and weights float32, 4 x HW.
CTTensor CT_OPT ct_mix_bytes(CTTensor x, CTTensor places, CTTensor weights);

#ifdef __cplusplus
}
#endif

#if defined(__clang__)
#pragma clang assume_nonnull end
#endif
