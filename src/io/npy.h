// The header of numpy's .npy arrays: a dictionary in Python's notation,
// {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }.
// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/dtype.h"

namespace paligemma {

struct NpyHeader {
  std::string descr;
  bool fortran_order = false;
  std::vector<std::int64_t> shape;
  std::size_t data_offset = 0;  // bytes of the header
};

// Bytes that say how long the header is, itself included.
constexpr std::size_t kNpyPreamble = 12;

// Length of the whole header that begins with `start` (kNpyPreamble bytes, fewer in a shorter file), or 0 when that is
// no .npy.
std::size_t npy_header_size(std::string_view start);

// Nothing when `header` (npy_header_size() bytes) is malformed.
std::optional<NpyHeader> parse_npy_header(std::string_view header);

// As numpy 1.x and 2.x write it. bf16, which numpy doesn't know, is two-byte void, as ml_dtypes' arrays are saved.
std::string npy_header(DType dtype, const std::vector<std::int64_t>& shape);

// Little-endian f4, f2, and bf16 as void: "|V2" or "<V2".
std::optional<DType> npy_dtype(std::string_view descr);

}  // namespace paligemma
