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
//   mode      the border is 0 (0), or the image mirrored at its edge, which is not repeated (1)
CTTensor CT_OPT ct_crop_flip(CTTensor images, CTTensor indices, CTTensor places, int64_t padding, int mode);

// The augmentation of contrastive learning: of each chosen image (as above) a box, resized to height x width; mirrored; its colours
// changed; gray; blurred. float32 B x C x height x width in channels_last memory. Each step as `ImageOps` in Swift defines it.
//   draws     float32 B x 12, contiguous: the box's top, left, height and width in whole pixels; 1 to mirror; 1 to change colours, the
//             factors of brightness, contrast and saturation, the shift of the hue; 1 for gray; the blur's standard deviation, 0 for none
//   order     int64 4: in which order brightness (0), contrast (1), saturation (2) and hue (3) change
//   bicubic   bicubic weights, else bilinear
//   radius    of the blur's kernel, below height and width
CTTensor CT_OPT ct_contrastive_augmentation(CTTensor images, CTTensor indices, CTTensor draws, CTTensor order, int64_t height, int64_t width,
                                     bool bicubic, int64_t radius);

#ifdef __cplusplus
}
#endif

#if defined(__clang__)
#pragma clang assume_nonnull end
#endif
