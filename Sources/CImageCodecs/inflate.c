#include "decoding.h"
#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

static int run(z_stream *stream, const uint8_t *bytes, size_t count, uint8_t *inflated, size_t capacity, size_t *inflated_count,
               int32_t (*stop)(void *context, size_t bytes), char *message) {
  size_t used = 0, taken = 0;
  uint8_t beyond; // where a byte too many shows itself
  for (;;) {
    uInt in = (uInt)smaller(count - taken, UINT_MAX), out = used < capacity ? (uInt)smaller(capacity - used, 1 << 24) : 1;
    stream->next_in = (Bytef *)(bytes + taken);
    stream->avail_in = in;
    stream->next_out = used < capacity ? inflated + used : &beyond;
    stream->avail_out = out;
    int code = inflate(stream, Z_NO_FLUSH);
    taken += in - stream->avail_in;
    used += out - stream->avail_out;
    *inflated_count = smaller(used, capacity);
    if (used > capacity) return cic_fail(CIC_TOO_LARGE, "it inflates past the limit", message);
    if (stop(NULL, 0)) return cic_stopped(message);
    if (code == Z_STREAM_END) {
      if (taken == count) return CIC_OK;
      if (count - taken < 2 || bytes[taken] != 0x1f || bytes[taken + 1] != 0x8b)
        return cic_fail(CIC_DAMAGED, "other bytes follow the compressed data", message);
      inflateReset(stream);
    } else if (code == Z_BUF_ERROR && taken == count) {
      return cic_fail(CIC_DAMAGED, "the compressed data ends early", message);
    } else if (code == Z_MEM_ERROR) {
      return cic_no_memory(message);
    } else if (code != Z_OK && code != Z_BUF_ERROR) {
      return cic_fail(CIC_DAMAGED, stream->msg ? stream->msg : "invalid compressed data", message);
    }
  }
}

int cic_inflate(const uint8_t *bytes, size_t count, uint8_t *inflated, size_t capacity, size_t *inflated_count,
                int32_t (*stop)(void *context, size_t bytes), char *message) {
  *inflated_count = 0;
  z_stream stream;
  memset(&stream, 0, sizeof stream);
  if (inflateInit2(&stream, 15 + 32) != Z_OK) return cic_no_memory(message);
  int status = run(&stream, bytes, count, inflated, capacity, inflated_count, stop, message);
  inflateEnd(&stream);
  return status;
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
