// Tensors as another checkpoint would hold them: what conversion puts between a source and a file.
#pragma once

#include "base/thread_pool.h"
#include "io/streamed_array.h"
#include "model/checkpoint.h"

namespace paligemma {

// About what a piece of a StreamedArray holds.
inline constexpr std::int64_t kPieceBytes = std::int64_t{16} << 20;

// The same tensors held as `dtype`, rounded to nearest. Throws Error{usage, "cannot_express"} for a finite value that
// f16 has no number for.
TensorSource retyped(TensorSource source, DType dtype);

// The same, each tensor held as type_of(name) says, and by all threads of `pool`, which must outlive it.
TensorSource retyped(TensorSource source, std::function<DType(std::string_view name)> type_of,
                     ThreadPool* pool = nullptr);

// Tensors in blocks held as `dtype`, the others as they are.
TensorSource without_blocks(TensorSource source, DType dtype);

// The same with `rows` rows of the vocabulary: the last ones left out, or rows appended that are the mean of all
// others, as transformers appends them (there with noise).
TensorSource with_vocabulary(TensorSource source, std::int64_t rows);

// A tensor in pieces. `source` must outlive it.
StreamedArray streamed(const TensorSource& source, const std::string& name);

}  // namespace paligemma
