// Augmentation on the CPU in one pass over the memory.
#pragma once

#include "ctorch.h"

#if defined(__clang__)
#pragma clang assume_nonnull begin
#endif

#ifdef __cplusplus
extern "C" {
#endif

// Crops of images (N x C x H x W uint8 or float32, on the CPU, with gaps of any kind), as float32 B x C x H x W in channels_last memory;
// uint8 is multiplied by 1/255.
//   indices   int64 B: the image of each row
//   places    int64 3 x B, contiguous: the crop's first row and column in the image padded by `padding`, and 1 to mirror it
//   mode      the border is 0 (0), the image mirrored at its edge, which is not repeated (1), or the edge repeated (2)
CTTensor CT_OPT ct_crop_flip(CTTensor images, CTTensor indices, CTTensor places, int64_t padding, int mode);

#ifdef __cplusplus
}
#endif

#if defined(__clang__)
#pragma clang assume_nonnull end
#endif
