#include "CImageCodecs.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

static int finish(z_stream *stream, uint8_t *buffer, int status, const char *text, char *message) {
  snprintf(message, CIC_MESSAGE_CAPACITY, "%s", text);
  inflateEnd(stream);
  free(buffer);
  return status;
}

int cic_inflate(const uint8_t *bytes, size_t count, size_t limit, uint8_t **inflated, size_t *inflated_count,
                char *message) {
  *inflated = NULL;
  *inflated_count = 0;
  z_stream stream;
  memset(&stream, 0, sizeof stream);
  if (inflateInit2(&stream, 15 + 32) != Z_OK) return finish(&stream, NULL, CIC_NO_MEMORY, "out of memory", message);
  // One byte more than the limit, so that a file of exactly the limit still meets its end mark.
  size_t most = limit < SIZE_MAX ? limit + 1 : limit;
  size_t capacity = smaller(most, count > SIZE_MAX / 8 ? count : 4 * count + 4096), used = 0, taken = 0;
  uint8_t *buffer = malloc(capacity);
  if (!buffer) return finish(&stream, NULL, CIC_NO_MEMORY, "out of memory", message);
  for (;;) {
    if (used == capacity) {
      if (capacity == most) return finish(&stream, buffer, CIC_TOO_LARGE, "it inflates past the limit", message);
      capacity = smaller(most, 2 * capacity);
      uint8_t *grown = realloc(buffer, capacity);
      if (!grown) return finish(&stream, buffer, CIC_NO_MEMORY, "out of memory", message);
      buffer = grown;
    }
    uInt in = (uInt)smaller(count - taken, UINT_MAX), out = (uInt)smaller(capacity - used, UINT_MAX);
    stream.next_in = (Bytef *)(bytes + taken);
    stream.avail_in = in;
    stream.next_out = buffer + used;
    stream.avail_out = out;
    int code = inflate(&stream, Z_NO_FLUSH);
    taken += in - stream.avail_in;
    used += out - stream.avail_out;
    if (code == Z_STREAM_END) {
      if (used > limit) return finish(&stream, buffer, CIC_TOO_LARGE, "it inflates past the limit", message);
      if (taken == count) break;
      if (count - taken < 2 || bytes[taken] != 0x1f || bytes[taken + 1] != 0x8b)
        return finish(&stream, buffer, CIC_DAMAGED, "other bytes follow the compressed data", message);
      inflateReset(&stream);
    } else if (code == Z_BUF_ERROR && taken == count && used < capacity) {
      return finish(&stream, buffer, CIC_DAMAGED, "the compressed data ends early", message);
    } else if (code == Z_MEM_ERROR) {
      return finish(&stream, buffer, CIC_NO_MEMORY, "out of memory", message);
    } else if (code != Z_OK && code != Z_BUF_ERROR) {
      return finish(&stream, buffer, CIC_DAMAGED, stream.msg ? stream.msg : "invalid compressed data", message);
    }
  }
  inflateEnd(&stream);
  *inflated = buffer;
  *inflated_count = used;
  return CIC_OK;
}

uint32_t cic_crc32(uint32_t seed, const uint8_t *bytes, size_t count) {
  uLong value = seed;
  while (count > 0) {
    uInt step = (uInt)smaller(count, UINT_MAX);
    value = crc32(value, bytes, step);
    bytes += step;
    count -= step;
  }
  return (uint32_t)value;
}

void cic_free(void *buffer) { free(buffer); }
