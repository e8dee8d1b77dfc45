#include "decoding.h"
#include <setjmp.h>
#include <stdlib.h>

#include <jpeglib.h>
#include <jerror.h>

typedef struct {
  struct jpeg_error_mgr errors; // libjpeg's pointers to it and to `progress` find the rest
  struct jpeg_progress_mgr progress;
  jmp_buf escape;
  const cic_options *options;
  char *message;
  int status;
  size_t rows;         // since the last look at `stop`
  uint32_t components; // a bit for each that came in a scan
} state;

static void leave(j_common_ptr common, int status) {
  state *own = common->client_data;
  own->status = status;
  longjmp(own->escape, 1);
}

static void on_exit_error(j_common_ptr common) {
  state *own = common->client_data;
  char text[JMSG_LENGTH_MAX];
  common->err->format_message(common, text);
  leave(common, cic_fail(CIC_DAMAGED, text, own->message));
}

// libjpeg fills what is missing with gray and only warns; a training set wants to know instead. Bytes too many are harmless.
static void on_message(j_common_ptr common, int level) {
  if (level >= 0) return;
  switch (common->err->msg_code) {
  case JWRN_JPEG_EOF:
  case JWRN_HIT_MARKER:
  case JWRN_HUFF_BAD_CODE:
  case JWRN_MUST_RESYNC:
  case JWRN_BOGUS_PROGRESSION: on_exit_error(common);
  }
}

// Called before each row of blocks, in every scan.
static void on_progress(j_common_ptr common) {
  j_decompress_ptr reader = (j_decompress_ptr)common;
  state *own = common->client_data;
  if (reader->input_scan_number > own->options->scans) {
    snprintf(own->message, CIC_MESSAGE_CAPACITY, "more than %d scans", (int)own->options->scans);
    leave(common, CIC_UNSUPPORTED);
  }
  for (int i = 0; i < reader->comps_in_scan; i++) own->components |= 1u << reader->cur_comp_info[i]->component_index;
  own->rows += DCTSIZE;
  if (own->rows < cic_rows_between_looks(reader->image_width)) return;
  own->rows = 0;
  if (own->options->stop(own->options->context, 0)) leave(common, cic_stopped(own->message));
}

// Whether the scans of a file brought all that its frame announces: a file cut between two scans has no other sign of it.
static int is_complete(j_decompress_ptr reader) {
  state *own = reader->client_data;
  if (reader->coef_bits) {
    for (int i = 0; i < reader->num_components; i++)
      for (int k = 0; k < DCTSIZE2; k++)
        if (reader->coef_bits[i][k] != 0) return 0;
  } else if (jpeg_has_multiple_scans(reader)) {
    return own->components == (1u << reader->num_components) - 1;
  }
  return 1;
}

// Stored inverted, with or without Adobe's marker: every program writes them so. Rounds as Pillow does.
static void cmyk_to_rgb(const uint8_t *from, uint8_t *to, size_t width) {
  for (size_t x = 0; x < width; x++, from += 4, to += 3)
    for (int c = 0; c < 3; c++) {
      int product = (255 - from[c]) * from[3] + 128;
      to[c] = (uint8_t)(from[3] - ((product + (product >> 8)) >> 8));
    }
}

int cic_decode_jpeg(const uint8_t *bytes, size_t count, const cic_options *options, cic_image *image, char *message) {
  memset(image, 0, sizeof *image);
  struct jpeg_decompress_struct reader;
  state own;
  memset(&own, 0, sizeof own);
  own.options = options;
  own.message = message;
  uint8_t *volatile pixels = NULL;
  uint8_t *volatile line = NULL;
  reader.err = jpeg_std_error(&own.errors);
  reader.client_data = &own;
  own.errors.error_exit = on_exit_error;
  own.errors.emit_message = on_message;
  own.progress.progress_monitor = on_progress;
  if (setjmp(own.escape)) {
    jpeg_destroy_decompress(&reader);
    free(pixels);
    free(line);
    return own.status;
  }
  jpeg_create_decompress(&reader);
  reader.progress = &own.progress;
  jpeg_mem_src(&reader, bytes, count);
  jpeg_read_header(&reader, TRUE);
  size_t width = reader.image_width, height = reader.image_height, blocks = 0;
  int status = cic_check_size(options, width, height, message);
  if (status == CIC_OK && reader.arith_code)
    // It cannot be told from a file that ends early, and no browser reads it.
    status = cic_fail(CIC_UNSUPPORTED, "arithmetic coding", message);
  for (int i = 0; i < reader.num_components; i++)
    blocks += (size_t)reader.comp_info[i].width_in_blocks * reader.comp_info[i].height_in_blocks;
  // Huffman codes spend a bit on a block at the least.
  if (status == CIC_OK && blocks / 8 > count) status = cic_hollow(message);
  int four = reader.num_components == 4;
  reader.out_color_space = four ? JCS_CMYK : reader.num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
  size_t channels = reader.num_components == 1 ? 1 : 3, row = width * channels;
  // The caller takes a copy; several scans need the coefficients of all blocks.
  size_t held = jpeg_has_multiple_scans(&reader) ? blocks * sizeof(JBLOCK) : 0;
  if (status == CIC_OK && options->stop(options->context, 2 * row * height + held)) status = cic_stopped(message);
  if (status != CIC_OK) leave((j_common_ptr)&reader, status);
  jpeg_start_decompress(&reader);
  pixels = malloc(row * height);
  line = malloc(4 * width);
  if (!pixels || !line) leave((j_common_ptr)&reader, cic_no_memory(message));
  while (reader.output_scanline < reader.output_height) {
    uint8_t *to = pixels + reader.output_scanline * row;
    JSAMPROW into = four ? line : to;
    jpeg_read_scanlines(&reader, &into, 1);
    if (four) cmyk_to_rgb(line, to, width);
  }
  if (!is_complete(&reader))
    leave((j_common_ptr)&reader, cic_fail(CIC_DAMAGED, "the file ends before its last scan", message));
  jpeg_finish_decompress(&reader);
  jpeg_destroy_decompress(&reader);
  free(line);
  *image = (cic_image){(int32_t)width, (int32_t)height, (int32_t)channels, row * height, pixels};
  return CIC_OK;
}
