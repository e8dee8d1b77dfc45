#include "decoding.h"
#include <gif_lib.h>
#include <stdlib.h>

static int read_bytes(GifFileType *file, GifByteType *to, int count) {
  cic_source *from = file->UserData;
  size_t step = (size_t)count < from->left ? (size_t)count : from->left;
  memcpy(to, from->next, step);
  from->next += step;
  from->left -= step;
  return (int)step;
}

// Goes on to the first image. `transparent` becomes the transparent colour, -1 for none.
static int find_image(GifFileType *file, int *transparent) {
  GifRecordType kind;
  *transparent = NO_TRANSPARENT_COLOR;
  for (;;) {
    if (DGifGetRecordType(file, &kind) != GIF_OK) return GIF_ERROR;
    if (kind == IMAGE_DESC_RECORD_TYPE) return DGifGetImageDesc(file);
    if (kind != EXTENSION_RECORD_TYPE) return GIF_ERROR;
    int code;
    GifByteType *data;
    if (DGifGetExtension(file, &code, &data) != GIF_OK) return GIF_ERROR;
    GraphicsControlBlock block;
    if (data && code == GRAPHICS_EXT_FUNC_CODE && DGifExtensionToGCB(data[0], data + 1, &block) == GIF_OK)
      *transparent = block.TransparentColor;
    while (data)
      if (DGifGetExtensionNext(file, &data) != GIF_OK) return GIF_ERROR;
  }
}

// Palette indices of the frame into the canvas, which is `width` wide.
static int read_frame(GifFileType *file, const cic_options *options, uint8_t *canvas, size_t width, char *message) {
  static const size_t starts[] = {0, 4, 2, 1}, steps[] = {8, 8, 4, 2};
  GifImageDesc *frame = &file->Image;
  size_t height = (size_t)frame->Height, done = 0, step = cic_rows_between_looks(width);
  for (int pass = 0; pass < (frame->Interlace ? 4 : 1); pass++) {
    size_t y = frame->Interlace ? starts[pass] : 0;
    for (; y < height; y += frame->Interlace ? steps[pass] : 1) {
      uint8_t *row = canvas + ((size_t)frame->Top + y) * width + (size_t)frame->Left;
      if (DGifGetLine(file, row, frame->Width) != GIF_OK) return cic_fail(CIC_DAMAGED, "the image data ends early", message);
      if (++done % step == 0 && options->stop(options->context, 0)) return cic_stopped(message);
    }
  }
  return CIC_OK;
}

static int decode(GifFileType *file, size_t count, const cic_options *options, cic_image *image, char *message) {
  int transparent;
  if (find_image(file, &transparent) != GIF_OK) return cic_fail(CIC_DAMAGED, "no image in it", message);
  GifImageDesc *frame = &file->Image;
  if (frame->Left < 0 || frame->Top < 0 || frame->Width <= 0 || frame->Height <= 0)
    return cic_fail(CIC_DAMAGED, "an empty frame", message);
  size_t right = (size_t)frame->Left + (size_t)frame->Width, bottom = (size_t)frame->Top + (size_t)frame->Height;
  size_t width = right > (size_t)file->SWidth ? right : (size_t)file->SWidth;
  size_t height = bottom > (size_t)file->SHeight ? bottom : (size_t)file->SHeight;
  int status = cic_check_size(options, width, height, message);
  if (status != CIC_OK) return status;
  // A code of 12 bits stands for 4096 pixels at the most.
  if ((size_t)frame->Width * (size_t)frame->Height / 2731 > count) return cic_hollow(message);

  // A colour outside the palette is a gray, as Pillow has it.
  uint8_t colors[256][3];
  ColorMapObject *map = frame->ColorMap ? frame->ColorMap : file->SColorMap;
  int gray = 1;
  for (int i = 0; i < 256; i++) {
    colors[i][0] = colors[i][1] = colors[i][2] = (uint8_t)i;
    if (!map || i >= map->ColorCount) continue;
    colors[i][0] = map->Colors[i].Red;
    colors[i][1] = map->Colors[i].Green;
    colors[i][2] = map->Colors[i].Blue;
    gray = gray && colors[i][0] == colors[i][1] && colors[i][1] == colors[i][2];
  }
  int alpha = options->alpha && transparent >= 0;
  size_t base = gray ? 1 : 3, channels = base + (size_t)alpha, area = width * height;
  // The caller takes a copy.
  if (options->stop(options->context, area + 2 * area * channels)) return cic_stopped(message);
  uint8_t *canvas = malloc(area), *pixels = malloc(area * channels);
  status = canvas && pixels ? CIC_OK : cic_no_memory(message);
  if (status == CIC_OK) {
    memset(canvas, transparent >= 0 ? transparent : 0, area);
    status = read_frame(file, options, canvas, width, message);
  }
  if (status == CIC_OK) {
    uint8_t *to = pixels;
    for (size_t i = 0; i < area; i++, to += channels) {
      memcpy(to, colors[canvas[i]], base);
      if (alpha) to[base] = canvas[i] == transparent ? 0 : 255;
    }
    *image = (cic_image){(int32_t)width, (int32_t)height, (int32_t)channels, area * channels, pixels};
    pixels = NULL;
  }
  free(canvas);
  free(pixels);
  return status;
}

int cic_decode_gif(const uint8_t *bytes, size_t count, const cic_options *options, cic_image *image, char *message) {
  memset(image, 0, sizeof *image);
  cic_source from = {bytes, count};
  int error = 0;
  GifFileType *file = DGifOpen(&from, read_bytes, &error);
  if (!file) return cic_fail(CIC_DAMAGED, "no valid header", message);
  int status = decode(file, count, options, image, message);
  DGifCloseFile(file, &error);
  return status;
}
