// A thin C face over libpng, libjpeg-turbo and zlib: bytes in memory to bytes in memory.
// Every function returns CIC_OK or a status, writes a message for people into `message`, and never aborts or jumps
// out of the call. Buffers that come back were made by malloc; hand them to cic_free.
#ifndef CIMAGECODECS_H
#define CIMAGECODECS_H

#include <stddef.h>
#include <stdint.h>

#define CIC_MESSAGE_CAPACITY 256

enum {
  CIC_OK = 0,
  CIC_DAMAGED = 1,   // the bytes are not a whole, valid file of the format
  CIC_TOO_LARGE = 2, // the file is larger than the caller's limit
  CIC_NO_MEMORY = 3,
};

// Interleaved 8-bit pixels: height * width * channels bytes, channels 1 (gray) or 3 (red, green, blue).
typedef struct {
  int32_t width;
  int32_t height;
  int32_t channels;
  size_t count;
  uint8_t *pixels;
} cic_image;

// Any bit depth, palette, alpha or interlacing. Samples come back as stored: 16 bits keep their high byte, alpha is
// left out without blending, gamma chunks are not applied. That is what image loaders for training usually do.
int cic_decode_png(const uint8_t *bytes, size_t count, size_t maximum_pixels, cic_image *image, char *message);

// Gray stays one channel; YCbCr, CMYK and YCCK become RGB. A file that ends early is CIC_DAMAGED, not a gray patch.
int cic_decode_jpeg(const uint8_t *bytes, size_t count, size_t maximum_pixels, cic_image *image, char *message);

int cic_encode_png(const uint8_t *pixels, int32_t width, int32_t height, int32_t channels, uint8_t **bytes,
                   size_t *count, char *message);

// gzip (one or more members) or zlib data, whole buffer; checksums are verified. CIC_TOO_LARGE past `limit` bytes.
int cic_inflate(const uint8_t *bytes, size_t count, size_t limit, uint8_t **inflated, size_t *inflated_count,
                char *message);

uint32_t cic_crc32(uint32_t seed, const uint8_t *bytes, size_t count);

void cic_free(void *buffer);

#endif
