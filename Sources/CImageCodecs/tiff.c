#include "decoding.h"
#include <stdarg.h>
#include <stdlib.h>
#include <tiffio.h>

typedef struct {
  const uint8_t *bytes;
  toff_t count, at;
  char *message;
  int lost_palette;
} memory;

static tsize_t read_bytes(thandle_t handle, tdata_t to, tsize_t count) {
  memory *from = handle;
  toff_t left = from->at < from->count ? from->count - from->at : 0, step = (toff_t)count < left ? (toff_t)count : left;
  memcpy(to, from->bytes + from->at, (size_t)step);
  from->at += step;
  return (tsize_t)step;
}

static tsize_t write_bytes(thandle_t handle, tdata_t from, tsize_t count) { return 0; }

static toff_t seek_to(thandle_t handle, toff_t offset, int whence) {
  memory *from = handle;
  from->at = whence == SEEK_SET ? offset : whence == SEEK_CUR ? from->at + offset : from->count + offset;
  return from->at;
}

static int close_file(thandle_t handle) { return 0; }

static toff_t size_of(thandle_t handle) { return ((memory *)handle)->count; }

// With the file in one piece of memory, libtiff checks offsets against its end before it takes memory.
static int map_file(thandle_t handle, tdata_t *base, toff_t *size) {
  *base = (tdata_t)((memory *)handle)->bytes;
  *size = ((memory *)handle)->count;
  return 1;
}

static void unmap_file(thandle_t handle, tdata_t base, toff_t size) {}

#if TIFFLIB_VERSION >= 20221213
static int on_error(TIFF *tiff, void *from, const char *module, const char *format, va_list arguments) {
  vsnprintf(((memory *)from)->message, CIC_MESSAGE_CAPACITY, format, arguments);
  return 1;
}

// A palette past the end of the file is no error to libtiff: it takes the image for gray.
static int on_warning(TIFF *tiff, void *from, const char *module, const char *format, va_list arguments) {
  char text[CIC_MESSAGE_CAPACITY];
  vsnprintf(text, sizeof text, format, arguments);
  if (strstr(text, "ColorMap")) ((memory *)from)->lost_palette = 1;
  return 1;
}

static TIFF *open_file(memory *from) {
  TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
  if (!options) return NULL;
  TIFFOpenOptionsSetMaxSingleMemAlloc(options, 1 << 30);
  TIFFOpenOptionsSetErrorHandlerExtR(options, on_error, from);
  TIFFOpenOptionsSetWarningHandlerExtR(options, on_warning, from);
  TIFF *tiff = TIFFClientOpenExt("TIFF", "rM", from, read_bytes, write_bytes, seek_to, close_file, size_of, map_file, unmap_file,
                                 options);
  TIFFOpenOptionsFree(options);
  return tiff;
}
#else
// Before 4.5 handlers belong to the process; libtiff's own write to the terminal.
static TIFF *open_file(memory *from) {
  TIFFSetErrorHandler(NULL);
  TIFFSetWarningHandler(NULL);
  return TIFFClientOpen("TIFF", "rM", from, read_bytes, write_bytes, seek_to, close_file, size_of, map_file, unmap_file);
}
#endif

typedef struct {
  uint32_t width, height;
  uint16_t bits, samples, photometric, extra;
  int base;                // channels without alpha: 1 or 3
  uint8_t colors[256][3];  // of a palette
} layout;

// The value of sample `index` of a row, 0 to 255, or as it stands where it is a palette index.
static inline uint8_t sample(const layout *from, const uint8_t *row, size_t index) {
  if (from->bits == 8) return row[index];
  if (from->bits == 16) {
    uint16_t value;
    memcpy(&value, row + 2 * index, 2);
    return (uint8_t)(value >> 8);
  }
  int most = (1 << from->bits) - 1;
  int value = row[index * from->bits / 8] >> (8 - from->bits - index * from->bits % 8) & most;
  return (uint8_t)(from->photometric == PHOTOMETRIC_PALETTE ? value : value * 255 / most);
}

static void unpack(const layout *from, const uint8_t *row, uint8_t *to, int alpha) {
  for (size_t x = 0; x < from->width; x++, to += from->base + alpha) {
    size_t first = x * from->samples;
    if (from->photometric == PHOTOMETRIC_PALETTE) {
      memcpy(to, from->colors[sample(from, row, first)], 3);
      continue;
    }
    int opacity = from->extra ? sample(from, row, first + (size_t)from->base) : 255;
    for (int c = 0; c < from->base; c++) {
      int value = sample(from, row, first + (size_t)c);
      if (from->photometric == PHOTOMETRIC_MINISWHITE) value = 255 - value;
      if (from->extra == EXTRASAMPLE_ASSOCALPHA) value = opacity == 0 ? 0 : value * 255 / opacity;
      to[c] = (uint8_t)(value < 255 ? value : 255);
    }
    if (alpha) to[from->base] = (uint8_t)opacity;
  }
}

// What the tags say, or why it is not read.
static int read_layout(TIFF *tiff, layout *found, char *message) {
  uint16_t compression, format, extras = 0, *kinds = NULL;
  memset(found, 0, sizeof *found);
  if (!TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &found->width) || !TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &found->height) ||
      !TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &found->photometric))
    return cic_fail(CIC_DAMAGED, "no width, height or photometric interpretation", message);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_BITSPERSAMPLE, &found->bits);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLESPERPIXEL, &found->samples);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_COMPRESSION, &compression);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLEFORMAT, &format);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_EXTRASAMPLES, &extras, &kinds);
  switch (compression) {
  case COMPRESSION_NONE:
  case COMPRESSION_LZW:
  case COMPRESSION_DEFLATE:
  case COMPRESSION_ADOBE_DEFLATE:
  case COMPRESSION_PACKBITS: break;
  case COMPRESSION_JPEG:
    if (found->photometric == PHOTOMETRIC_YCBCR) {
      TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
      found->photometric = PHOTOMETRIC_RGB;
    }
    break;
  default: snprintf(message, CIC_MESSAGE_CAPACITY, "compression %d", (int)compression); return CIC_UNSUPPORTED;
  }
  int bits = found->bits;
  if (format != SAMPLEFORMAT_UINT || (bits != 1 && bits != 2 && bits != 4 && bits != 8 && bits != 16)) {
    snprintf(message, CIC_MESSAGE_CAPACITY, "samples of %d bits and format %d", bits, (int)format);
    return CIC_UNSUPPORTED;
  }
  uint16_t *red, *green, *blue;
  switch (found->photometric) {
  case PHOTOMETRIC_MINISBLACK:
  case PHOTOMETRIC_MINISWHITE: found->base = 1; break;
  case PHOTOMETRIC_RGB: found->base = 3; break;
  case PHOTOMETRIC_PALETTE:
    found->base = 3;
    if (bits > 8 || found->samples != 1) return cic_fail(CIC_UNSUPPORTED, "a palette of more than 256 colours", message);
    if (!TIFFGetField(tiff, TIFFTAG_COLORMAP, &red, &green, &blue)) return cic_fail(CIC_DAMAGED, "no palette", message);
    int shift = 0; // some programs write 8 bits
    for (int i = 0; i < 1 << bits; i++)
      if (red[i] > 255 || green[i] > 255 || blue[i] > 255) shift = 8;
    for (int i = 0; i < 1 << bits; i++) {
      found->colors[i][0] = (uint8_t)(red[i] >> shift);
      found->colors[i][1] = (uint8_t)(green[i] >> shift);
      found->colors[i][2] = (uint8_t)(blue[i] >> shift);
    }
    return CIC_OK;
  default:
    snprintf(message, CIC_MESSAGE_CAPACITY, "photometric interpretation %d", (int)found->photometric);
    return CIC_UNSUPPORTED;
  }
  if (found->samples != found->base && found->samples != found->base + 1) {
    snprintf(message, CIC_MESSAGE_CAPACITY, "%d samples a pixel", (int)found->samples);
    return CIC_UNSUPPORTED;
  }
  if (found->samples > found->base && extras > 0) found->extra = kinds[0]; // 0 is something else than alpha
  return CIC_OK;
}

// Tiles and planes, by libtiff's own conversion to 32 bits a pixel; in the file's orientation, so that libtiff turns nothing.
static int read_tiles(TIFF *tiff, const layout *from, uint16_t orientation, uint8_t *pixels, char *message) {
  size_t area = (size_t)from->width * from->height;
  uint32_t *raster = malloc(4 * area);
  if (!raster) return cic_no_memory(message);
  int status = CIC_OK;
  if (!TIFFReadRGBAImageOriented(tiff, from->width, from->height, raster, orientation, 1)) {
    status = CIC_DAMAGED;
    if (!*message) cic_fail(CIC_DAMAGED, "invalid data", message);
  }
  for (size_t i = 0; status == CIC_OK && i < area; i++, pixels += from->base)
    for (int c = 0; c < from->base; c++) pixels[c] = (uint8_t)(raster[i] >> (8 * c));
  free(raster);
  return status;
}

// A copy as the file wants to be seen, by the sides that its first row and its first column are at.
static uint8_t *oriented(const uint8_t *pixels, size_t width, size_t height, size_t channels, uint16_t orientation) {
  uint8_t *copy = malloc(width * height * channels), *to = copy;
  if (!copy) return NULL;
  int swapped = orientation >= ORIENTATION_LEFTTOP;
  int upwards = orientation == ORIENTATION_BOTRIGHT || orientation == ORIENTATION_BOTLEFT || orientation == ORIENTATION_RIGHTTOP ||
                orientation == ORIENTATION_RIGHTBOT;
  int leftwards = orientation == ORIENTATION_TOPRIGHT || orientation == ORIENTATION_BOTRIGHT || orientation == ORIENTATION_RIGHTBOT ||
                  orientation == ORIENTATION_LEFTBOT;
  for (size_t y = 0; y < (swapped ? width : height); y++)
    for (size_t x = 0; x < (swapped ? height : width); x++, to += channels) {
      size_t row = swapped ? x : y, column = swapped ? y : x;
      if (upwards) row = height - 1 - row;
      if (leftwards) column = width - 1 - column;
      memcpy(to, pixels + (row * width + column) * channels, channels);
    }
  return copy;
}

static int decode(TIFF *tiff, size_t count, const cic_options *options, cic_image *image, char *message) {
  layout from;
  int status = read_layout(tiff, &from, message);
  if (status == CIC_OK) status = cic_check_size(options, from.width, from.height, message);
  if (status != CIC_OK) return status;
  uint16_t planes, orientation;
  TIFFGetFieldDefaulted(tiff, TIFFTAG_ORIENTATION, &orientation);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_PLANARCONFIG, &planes);
  int tiles = TIFFIsTiled(tiff) || (planes != PLANARCONFIG_CONTIG && from.samples > 1);
  if (tiles && (from.bits != 8 || from.samples != from.base))
    return cic_fail(CIC_UNSUPPORTED, "tiles or planes of a palette, with alpha, or of other than 8 bits", message);
  size_t width = from.width, height = from.height;
  // LZW, the closest of the codes, writes 4096 bytes in 12 bits at the most.
  if ((width * from.samples * from.bits + 7) / 8 * height / 2731 > count) return cic_hollow(message);
  int alpha = options->alpha && (from.extra == EXTRASAMPLE_ASSOCALPHA || from.extra == EXTRASAMPLE_UNASSALPHA);
  size_t channels = (size_t)(from.base + alpha), row = width * channels;
  // The caller takes a copy.
  if (options->stop(options->context, 2 * row * height + (tiles ? 4 * width * height : 0))) return cic_stopped(message);
  size_t packed = (size_t)TIFFScanlineSize(tiff);
  if (!tiles && packed < (width * from.samples * from.bits + 7) / 8)
    return cic_fail(CIC_UNSUPPORTED, "unusual rows", message);
  uint8_t *pixels = malloc(row * height), *line = malloc(packed + 1);
  if (!pixels || !line) status = cic_no_memory(message);
  if (status == CIC_OK && tiles) status = read_tiles(tiff, &from, orientation, pixels, message);
  size_t step = cic_rows_between_looks(width);
  for (size_t y = 0; status == CIC_OK && !tiles && y < height; y++) {
    if (TIFFReadScanline(tiff, line, (uint32_t)y, 0) != 1) {
      status = CIC_DAMAGED;
      if (!*message) cic_fail(status, "invalid data", message);
    } else {
      unpack(&from, line, pixels + y * row, alpha);
      if (y % step == step - 1 && options->stop(options->context, 0)) status = cic_stopped(message);
    }
  }
  free(line);
  if (status == CIC_OK && orientation != ORIENTATION_TOPLEFT) {
    uint8_t *turned = oriented(pixels, width, height, channels, orientation);
    if (!turned) status = cic_no_memory(message);
    free(pixels);
    pixels = turned;
    if (orientation >= ORIENTATION_LEFTTOP) width = from.height, height = from.width;
  }
  if (status != CIC_OK) {
    free(pixels);
    return status;
  }
  *image = (cic_image){(int32_t)width, (int32_t)height, (int32_t)channels, width * height * channels, pixels};
  return CIC_OK;
}

int cic_decode_tiff(const uint8_t *bytes, size_t count, const cic_options *options, cic_image *image, char *message) {
  memset(image, 0, sizeof *image);
  *message = 0;
  memory from = {bytes, count, 0, message, 0};
  TIFF *tiff = open_file(&from);
  if (!tiff) {
    if (!*message) cic_fail(CIC_DAMAGED, "no valid header", message);
    return CIC_DAMAGED;
  }
  int status = from.lost_palette ? cic_fail(CIC_DAMAGED, "no palette", message) : decode(tiff, count, options, image, message);
  TIFFClose(tiff);
  return status;
}
