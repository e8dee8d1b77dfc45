#include "decoding.h"
#include <stdlib.h>
#include <webp/decode.h>

int cic_decode_webp(const uint8_t *bytes, size_t count, const cic_options *options, cic_image *image, char *message) {
  memset(image, 0, sizeof *image);
  WebPDecoderConfig config;
  if (!WebPInitDecoderConfig(&config)) return cic_fail(CIC_DAMAGED, "another version of libwebp", message);
  if (WebPGetFeatures(bytes, count, &config.input) != VP8_STATUS_OK)
    return cic_fail(CIC_DAMAGED, "no valid header", message);
  if (config.input.has_animation) return cic_fail(CIC_UNSUPPORTED, "an animation", message);
  size_t width = (size_t)config.input.width, height = (size_t)config.input.height;
  int status = cic_check_size(options, width, height, message);
  if (status != CIC_OK) return status;
  int alpha = options->alpha && config.input.has_alpha;
  size_t channels = alpha ? 4 : 3, row = width * channels;
  // The caller takes a copy; lossless images are decoded by way of 32 bits a pixel.
  size_t held = config.input.format == 2 ? 4 * width * height : 0;
  if (options->stop(options->context, 2 * row * height + held)) return cic_stopped(message);
  uint8_t *pixels = malloc(row * height);
  if (!pixels) return cic_no_memory(message);
  config.output.colorspace = alpha ? MODE_RGBA : MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA = (WebPRGBABuffer){pixels, (int)row, row * height};
  VP8StatusCode code = WebPDecode(bytes, count, &config);
  if (code != VP8_STATUS_OK) {
    free(pixels);
    if (code == VP8_STATUS_OUT_OF_MEMORY) return cic_no_memory(message);
    int early = code == VP8_STATUS_NOT_ENOUGH_DATA || code == VP8_STATUS_SUSPENDED;
    return cic_fail(CIC_DAMAGED, early ? "the file ends early" : "invalid data", message);
  }
  *image = (cic_image){(int32_t)width, (int32_t)height, (int32_t)channels, row * height, pixels};
  return CIC_OK;
}
