// The operations of a computation as a graph, by LibTorch's tracer.
#pragma once

#include "ctorch.h"

#if defined(__clang__)
#pragma clang assume_nonnull begin
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct CTGraphBox *CTGraph;

/// Runs `forward` on `input` and notes what it computes. `forward` owns its input, and keeps its result until ct_trace ends; NULL stops
/// with an error.
///   names     of the n tensors that the computation may read, as keys with dots; each is a parameter or else a buffer
CTGraph CT_OPT ct_trace(CTTensor input, const char *_Nullable const *_Nonnull names, const CTTensor CT_OPT *_Nonnull tensors,
                        const bool *are_parameters, int64_t n, CTTensor CT_OPT (*_Nonnull forward)(void *CT_OPT context, CTTensor input),
                        void *CT_OPT context);
void ct_graph_release(CTGraph g);

/// The graph as text, one operation a line, its fields separated by tabs: kind, outputs, arguments. Fields:
///   %4:2x3x8x8          value 4 with its shape, as output
///   %4 @fc.weight #0    a value, a named tensor, a constant tensor
///   5 0.5 true none     numbers, with a point where they are floating; nothing
///   "none"              text
///   [a b]               a list
/// The input is %in; the last line is `return` with the result as its argument.
const char *ct_graph_text(CTGraph g);
CTTensor CT_OPT ct_graph_constant(CTGraph g, int64_t index);
/// Writes TorchScript, which torch.jit.load reads.
int ct_graph_save(CTGraph g, const char *path);

#ifdef __cplusplus
}
#endif

#if defined(__clang__)
#pragma clang assume_nonnull end
#endif
