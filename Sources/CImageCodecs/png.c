#include "CImageCodecs.h"
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  const uint8_t *next;
  size_t left;
} source;

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
  source *from = png_get_io_ptr(png);
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

int cic_decode_png(const uint8_t *bytes, size_t count, size_t maximum_pixels, cic_image *image, char *message) {
  memset(image, 0, sizeof *image);
  png_infop info = NULL;
  png_bytep *volatile rows = NULL;
  uint8_t *volatile pixels = NULL;
  volatile int status = CIC_DAMAGED;
  source from = {bytes, count};
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, message, on_error, on_warning);
  if (png) info = png_create_info_struct(png);
  if (!info) {
    snprintf(message, CIC_MESSAGE_CAPACITY, "out of memory");
    png_destroy_read_struct(&png, NULL, NULL);
    return CIC_NO_MEMORY;
  }
  if (setjmp(png_jmpbuf(png))) {
    png_destroy_read_struct(&png, &info, NULL);
    free(rows);
    free(pixels);
    return status;
  }
  png_set_read_fn(png, &from, read_bytes);
  png_set_user_limits(png, 0x7fffffff, 0x7fffffff); // the pixel limit below is the guard
  png_read_info(png, info);
  size_t width = png_get_image_width(png, info), height = png_get_image_height(png, info);
  if (width > maximum_pixels / height) {
    status = CIC_TOO_LARGE;
    png_error(png, "the header claims more pixels than the limit allows");
  }
  png_set_palette_to_rgb(png);
  png_set_expand_gray_1_2_4_to_8(png);
  png_set_strip_16(png);
  png_set_strip_alpha(png);
  int passes = png_set_interlace_handling(png);
  (void)passes;
  png_read_update_info(png, info);
  size_t channels = png_get_channels(png, info), row = png_get_rowbytes(png, info);
  if ((channels != 1 && channels != 3) || row != width * channels) png_error(png, "unsupported sample layout");
  pixels = malloc(row * height);
  rows = malloc(height * sizeof *rows);
  if (!pixels || !rows) {
    status = CIC_NO_MEMORY;
    png_error(png, "out of memory");
  }
  for (size_t y = 0; y < height; y++) rows[y] = pixels + y * row;
  png_read_image(png, rows);
  png_read_end(png, NULL);
  png_destroy_read_struct(&png, &info, NULL);
  free(rows);
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
    snprintf(message, CIC_MESSAGE_CAPACITY, "out of memory");
    png_destroy_write_struct(&png, NULL);
    return CIC_NO_MEMORY;
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
