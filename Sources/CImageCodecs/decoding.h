// What the decoders share.
#ifndef CIC_DECODING_H
#define CIC_DECODING_H

#include "CImageCodecs.h"
#include <stdio.h>
#include <string.h>

// Bytes in memory that a library reads through a callback.
typedef struct {
  const uint8_t *next;
  size_t left;
} cic_source;

static inline int cic_fail(int status, const char *text, char *message) {
  snprintf(message, CIC_MESSAGE_CAPACITY, "%s", text);
  return status;
}

static inline int cic_no_memory(char *message) { return cic_fail(CIC_NO_MEMORY, "out of memory", message); }

static inline int cic_stopped(char *message) { return cic_fail(CIC_STOPPED, "stopped", message); }

static inline int cic_hollow(char *message) {
  return cic_fail(CIC_DAMAGED, "the header claims more pixels than the file can hold", message);
}

static inline int cic_check_size(const cic_options *options, size_t width, size_t height, char *message) {
  if (width == 0 || height == 0) return cic_fail(CIC_DAMAGED, "the header claims no pixels", message);
  if (width <= options->side && height <= options->side && width <= options->pixels / height) return CIC_OK;
  snprintf(message, CIC_MESSAGE_CAPACITY, "%zu x %zu pixels, and the limit is %zu a side and %zu in all", width, height,
           options->side, options->pixels);
  return CIC_TOO_LARGE;
}

// How many rows to decode between two looks at `stop`.
static inline size_t cic_rows_between_looks(size_t width) { return width >= 65536 ? 1 : 65536 / width; }

#endif
