// A thin C face over libpng, libjpeg-turbo, libwebp, giflib, libtiff and zlib: bytes in memory to bytes in memory.
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
  CIC_STOPPED = 4,     // the caller asked to stop
  CIC_UNSUPPORTED = 5, // a valid file of a kind that is not read
};

typedef struct {
  size_t side;   // most pixels of width and of height
  size_t pixels; // most pixels of width times height
  int32_t scans; // most scans of a JPEG file
  int32_t alpha; // nonzero keeps alpha as the last channel where the file has it; 0 leaves it out without blending
  // Called once when the header is read, with the bytes that decoding will take, and then, with 0, now and then.
  // Nonzero stops the decoder.
  int32_t (*stop)(void *context, size_t bytes);
  void *context;
} cic_options;

// Interleaved 8-bit pixels: height * width * channels bytes. Channels are 1 (gray) or 3 (red, green, blue), and one
// more where alpha is kept.
typedef struct {
  int32_t width;
  int32_t height;
  int32_t channels;
  size_t count;
  uint8_t *pixels;
} cic_image;

// Samples come back as stored: 16 bits keep their high byte; gamma, colour profiles and rotation are not applied. That
// is what image loaders for training usually do. A file that ends early, or of which a part is lost, is CIC_DAMAGED, and
// so is one whose header claims more pixels than its bytes can hold.

// Any bit depth, palette or interlacing.
int cic_decode_png(const uint8_t *bytes, size_t count, const cic_options *options, cic_image *image, char *message);

// Gray stays one channel; YCbCr, CMYK and YCCK become RGB. Four components are inverted, as every program writes them.
int cic_decode_jpeg(const uint8_t *bytes, size_t count, const cic_options *options, cic_image *image, char *message);

// Lossy or lossless, always colour; an animation is CIC_UNSUPPORTED. Does not look at `stop` between header and end.
int cic_decode_webp(const uint8_t *bytes, size_t count, const cic_options *options, cic_image *image, char *message);

// The first frame on its canvas; what the frame leaves open is the transparent colour, else the first. A palette of grays
// gives a gray image.
int cic_decode_gif(const uint8_t *bytes, size_t count, const cic_options *options, cic_image *image, char *message);

// The first page: gray, RGB, palette, with or without alpha; 1 to 16 bits; none, LZW, Deflate, PackBits or JPEG compression.
int cic_decode_tiff(const uint8_t *bytes, size_t count, const cic_options *options, cic_image *image, char *message);

int cic_encode_png(const uint8_t *pixels, int32_t width, int32_t height, int32_t channels, uint8_t **bytes,
                   size_t *count, char *message);

// gzip (one or more members) or zlib data into a buffer of `capacity` bytes; checksums are verified. Where more would
// follow, CIC_TOO_LARGE with the buffer full.
int cic_inflate(const uint8_t *bytes, size_t count, uint8_t *inflated, size_t capacity, size_t *inflated_count,
                int32_t (*stop)(void *context, size_t bytes), char *message);

uint32_t cic_crc32(uint32_t seed, const uint8_t *bytes, size_t count);

void cic_free(void *buffer);

#endif
