#include "decoding.h"
#include <png.h>
#include <setjmp.h>
#include <stdlib.h>

typedef struct {
  uint8_t *bytes;
  size_t count, capacity;
} sink;

static void on_error(png_structp png, png_const_charp text) {
  snprintf(png_get_error_ptr(png), CIC_MESSAGE_CAPACITY, "%s", text);
  png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text) {
  (void)png;
  (void)text;
}

static void read_bytes(png_structp png, png_bytep to, size_t count) {
  cic_source *from = png_get_io_ptr(png);
  if (count > from->left) png_error(png, "the file ends early");
  memcpy(to, from->next, count);
  from->next += count;
  from->left -= count;
}

static void write_bytes(png_structp png, png_bytep bytes, size_t count) {
  sink *to = png_get_io_ptr(png);
  if (count > to->capacity - to->count) {
    size_t capacity = 2 * to->capacity + count + 1024;
    uint8_t *grown = realloc(to->bytes, capacity);
    if (!grown) png_error(png, "out of memory");
    to->bytes = grown;
    to->capacity = capacity;
  }
  memcpy(to->bytes + to->count, bytes, count);
  to->count += count;
}

static void flush_bytes(png_structp png) { (void)png; }

// Chunks that change no pixel; libpng would inflate some of them.
static const png_byte ignored[] = "bKGD\0cHRM\0eXIf\0gAMA\0hIST\0iCCP\0iTXt\0oFFs\0pCAL\0pHYs\0sBIT\0sCAL\0sPLT\0sRGB\0tEXt\0tIME\0zTXt";

// The bytes in the chunks of image data.
static size_t image_data(const uint8_t *bytes, size_t count) {
  size_t total = 0;
  for (size_t at = 8; at + 12 <= count;) {
    size_t length = (size_t)bytes[at] << 24 | (size_t)bytes[at + 1] << 16 | (size_t)bytes[at + 2] << 8 | bytes[at + 3];
    if (memcmp(bytes + at + 4, "IDAT", 4) == 0) total += length < count ? length : count;
    at += 12 + length;
  }
  return total;
}

int cic_decode_png(const uint8_t *bytes, size_t count, const cic_options *options, cic_image *image, char *message) {
  memset(image, 0, sizeof *image);
  png_infop info = NULL;
  uint8_t *volatile pixels = NULL;
  volatile int status = CIC_DAMAGED;
  cic_source from = {bytes, count};
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, message, on_error, on_warning);
  if (png) info = png_create_info_struct(png);
  if (!info) {
    png_destroy_read_struct(&png, NULL, NULL);
    return cic_no_memory(message);
  }
  if (setjmp(png_jmpbuf(png))) {
    png_destroy_read_struct(&png, &info, NULL);
    free(pixels);
    return status;
  }
  png_set_read_fn(png, &from, read_bytes);
  png_set_user_limits(png, 0x7fffffff, 0x7fffffff); // the limits below are the guard
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, ignored, sizeof ignored / 5);
  png_read_info(png, info);
  size_t width = png_get_image_width(png, info), height = png_get_image_height(png, info);
  if ((status = cic_check_size(options, width, height, message)) != CIC_OK) png_longjmp(png, 1);
  // Deflate makes at most 1032 bytes of one.
  if (png_get_rowbytes(png, info) > 1032 * image_data(bytes, count) / height) {
    status = cic_hollow(message);
    png_longjmp(png, 1);
  }
  status = CIC_DAMAGED;
  png_set_palette_to_rgb(png);
  png_set_expand_gray_1_2_4_to_8(png);
  png_set_strip_16(png);
  if (!options->alpha) png_set_strip_alpha(png);
  else if (png_get_valid(png, info, PNG_INFO_tRNS)) png_set_tRNS_to_alpha(png);
  int passes = png_set_interlace_handling(png);
  png_read_update_info(png, info);
  size_t channels = png_get_channels(png, info), row = png_get_rowbytes(png, info);
  if (row != width * channels) png_error(png, "unsupported sample layout");
  // The caller takes a copy.
  if (options->stop(options->context, 2 * row * height)) {
    status = cic_stopped(message);
    png_longjmp(png, 1);
  }
  pixels = malloc(row * height);
  if (!pixels) {
    status = cic_no_memory(message);
    png_longjmp(png, 1);
  }
  size_t step = cic_rows_between_looks(width);
  for (int pass = 0; pass < passes; pass++)
    for (size_t y = 0; y < height; y++) {
      png_read_row(png, pixels + y * row, NULL);
      if (y % step == step - 1 && options->stop(options->context, 0)) {
        status = cic_stopped(message);
        png_longjmp(png, 1);
      }
    }
  png_read_end(png, NULL);
  png_destroy_read_struct(&png, &info, NULL);
  *image = (cic_image){(int32_t)width, (int32_t)height, (int32_t)channels, row * height, pixels};
  return CIC_OK;
}

int cic_encode_png(const uint8_t *pixels, int32_t width, int32_t height, int32_t channels, uint8_t **bytes,
                   size_t *count, char *message) {
  *bytes = NULL;
  *count = 0;
  png_infop info = NULL;
  sink to = {NULL, 0, 0};
  sink *volatile kept = &to;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, message, on_error, on_warning);
  if (png) info = png_create_info_struct(png);
  if (!info) {
    png_destroy_write_struct(&png, NULL);
    return cic_no_memory(message);
  }
  if (setjmp(png_jmpbuf(png))) {
    png_destroy_write_struct(&png, &info);
    free(kept->bytes);
    return CIC_DAMAGED;
  }
  png_set_write_fn(png, &to, write_bytes, flush_bytes);
  png_set_user_limits(png, 0x7fffffff, 0x7fffffff);
  png_set_IHDR(png, info, (png_uint_32)width, (png_uint_32)height, 8,
               channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png, info);
  size_t row = (size_t)width * (size_t)channels;
  for (int32_t y = 0; y < height; y++) png_write_row(png, pixels + (size_t)y * row);
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  *bytes = to.bytes;
  *count = to.count;
  return CIC_OK;
}
