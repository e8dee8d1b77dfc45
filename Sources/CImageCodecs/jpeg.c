#include "CImageCodecs.h"
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

typedef struct {
  struct jpeg_error_mgr base; // first, so that libjpeg's pointer is also ours
  jmp_buf escape;
  char *message;
} error_manager;

static void on_exit_error(j_common_ptr common) {
  error_manager *manager = (error_manager *)common->err;
  char text[JMSG_LENGTH_MAX];
  manager->base.format_message(common, text);
  snprintf(manager->message, CIC_MESSAGE_CAPACITY, "%s", text);
  longjmp(manager->escape, 1);
}

// libjpeg fills what is missing with gray and only warns; a training set wants to know instead.
static void on_message(j_common_ptr common, int level) {
  if (level < 0 && common->err->msg_code == JWRN_JPEG_EOF) on_exit_error(common);
}

static void cmyk_to_rgb(const uint8_t *from, uint8_t *to, size_t width, int inverted) {
  for (size_t x = 0; x < width; x++, from += 4, to += 3) {
    int k = inverted ? from[3] : 255 - from[3];
    for (int c = 0; c < 3; c++) to[c] = (uint8_t)(((inverted ? from[c] : 255 - from[c]) * k + 127) / 255);
  }
}

int cic_decode_jpeg(const uint8_t *bytes, size_t count, size_t maximum_pixels, cic_image *image, char *message) {
  memset(image, 0, sizeof *image);
  struct jpeg_decompress_struct reader;
  error_manager manager;
  uint8_t *volatile pixels = NULL;
  uint8_t *volatile line = NULL;
  volatile int status = CIC_DAMAGED;
  reader.err = jpeg_std_error(&manager.base);
  manager.base.error_exit = on_exit_error;
  manager.base.emit_message = on_message;
  manager.message = message;
  if (setjmp(manager.escape)) {
    jpeg_destroy_decompress(&reader);
    free(pixels);
    free(line);
    return status;
  }
  jpeg_create_decompress(&reader);
  jpeg_mem_src(&reader, bytes, count);
  jpeg_read_header(&reader, TRUE);
  size_t width = reader.image_width, height = reader.image_height;
  if (width > maximum_pixels / height) {
    snprintf(message, CIC_MESSAGE_CAPACITY, "the header claims more pixels than the limit allows");
    status = CIC_TOO_LARGE;
    longjmp(manager.escape, 1);
  }
  int four = reader.num_components == 4;
  reader.out_color_space = four ? JCS_CMYK : reader.num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_start_decompress(&reader);
  size_t channels = reader.num_components == 1 ? 1 : 3, row = width * channels;
  pixels = malloc(row * height);
  line = malloc(4 * width);
  if (!pixels || !line) {
    snprintf(message, CIC_MESSAGE_CAPACITY, "out of memory");
    status = CIC_NO_MEMORY;
    longjmp(manager.escape, 1);
  }
  while (reader.output_scanline < reader.output_height) {
    uint8_t *to = pixels + reader.output_scanline * row;
    JSAMPROW into = four ? line : to;
    jpeg_read_scanlines(&reader, &into, 1);
    if (four) cmyk_to_rgb(line, to, width, reader.saw_Adobe_marker);
  }
  jpeg_finish_decompress(&reader);
  jpeg_destroy_decompress(&reader);
  free(line);
  *image = (cic_image){(int32_t)width, (int32_t)height, (int32_t)channels, row * height, pixels};
  return CIC_OK;
}
