#include "backend/cpu/cpu_backend.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "backend/cpu/dispatch.h"
#include "backend/cpu/pack.h"

namespace paligemma {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kHugePage = std::size_t{2} << 20;

// calloc gives large blocks straight from the system, which are zero without being touched. The address to free lies
// in front of the aligned one.
Buffer allocate_zeroed(std::size_t bytes) {
  const std::size_t alignment = bytes >= 2 * kHugePage ? kHugePage : kAlignment;
  const std::size_t extra = alignment + sizeof(void*);
  void* block = bytes <= std::numeric_limits<std::size_t>::max() - extra ? std::calloc(bytes + extra, 1) : nullptr;
  if (block == nullptr) {
    fail(ErrorKind::resource, "out_of_memory", "allocating memory: the system refuses ", bytes, " bytes");
  }
  const auto address = reinterpret_cast<std::uintptr_t>(block) + sizeof(void*);
  auto* start = static_cast<std::byte*>(block) + sizeof(void*) + (alignment - address % alignment) % alignment;
  std::memcpy(start - sizeof(void*), &block, sizeof block);
  // Advice only: fewer page faults and TLB misses where the system grants it.
  if (alignment == kHugePage) madvise(start, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
  return Buffer(start, [](std::byte* start) {
    void* block;
    std::memcpy(&block, start - sizeof(void*), sizeof block);
    std::free(block);
  });
}

std::string_view asked_isa(const CpuOptions& options) {
  if (!options.isa.empty()) return options.isa;
  const char* variable = std::getenv("PALIGEMMA_ISA");
  return variable != nullptr ? variable : "";
}

// Elements of a tensor, checked against the bytes that it brings.
std::int64_t check_host(const HostTensor& tensor, const char* operation) {
  std::int64_t count = 1;
  for (const std::int64_t extent : tensor.shape) {
    check_shape(extent >= 0 && !__builtin_mul_overflow(count, extent, &count), operation, ": bad extent ", extent);
  }
  const std::int64_t cols = tensor.shape.empty() ? 1 : tensor.shape.back();
  check_shape(cols == 0 || row_bytes(tensor.dtype, cols) * (count / cols) <= std::int64_t(tensor.bytes.size()),
              operation, ": expected ", count, " elements of ", name(tensor.dtype), ", got ", tensor.bytes.size(),
              " bytes");
  return count;
}

// 16 rows of k floats into a panel: what pack_panel() does, in words that hold one element of f32 or two of bf16.
void pack_words(const Kernels& kernels, const float* rows, std::int64_t k, DType to, std::byte* panel) {
  const std::int64_t at_once = to == DType::bf16 ? 2 * kPanel : kPanel;
  constexpr std::int64_t kTile = kPanel * kPanel;
  alignas(64) float words[kTile], turned[kTile];
  for (std::int64_t first = 0; first < k; first += at_once, panel += kTile * sizeof(float)) {
    const std::int64_t width = std::min(at_once, k - first);
    if (width < at_once) std::fill_n(words, kTile, 0.0f);
    for (std::int64_t r = 0; r < kPanel; ++r) {
      const float* from = rows + r * k + first;
      if (to == DType::bf16) {
        std::uint16_t narrow[2 * kPanel];
        for (std::int64_t i = 0; i < width; ++i) narrow[i] = f32_to_bf16(from[i]);
        std::memcpy(words + r * kPanel, narrow, std::size_t(width) * sizeof *narrow);
      } else {
        std::copy_n(from, width, words + r * kPanel);
      }
    }
    kernels.turn_words(words, kPanel, turned, kPanel);
    std::memcpy(panel, turned, std::size_t(panel_data(width, to)));
  }
}

}  // namespace

std::byte* Scratch::reserve(std::size_t bytes) {
  if (bytes > bytes_) {
    buffer_.reset();
    bytes_ = 0;
    buffer_ = allocate_zeroed(bytes);
    bytes_ = bytes;
  }
  return buffer_.get();
}

CpuBackend::CpuBackend(const Kernels& kernels, int threads)
    : kernels_(kernels), name_(join("cpu ", kernels.name)), pool_(threads), of_thread_(std::size_t(pool_.threads())) {}

std::unique_ptr<Backend> make_cpu_backend(const CpuOptions& options) {
  return std::make_unique<CpuBackend>(choose_kernels(asked_isa(options)), options.threads);
}

Buffer CpuBackend::allocate(std::size_t bytes) { return allocate_zeroed(bytes); }

std::size_t CpuBackend::matrix_bytes(std::int64_t rows, std::int64_t cols, DType dtype) const {
  std::int64_t bytes = 0;
  check_shape(rows >= 0 && cols >= 0 && cols < (std::int64_t{1} << 40) &&
                  !__builtin_mul_overflow(round_up(rows, kPanel) / kPanel, panel_bytes(cols, stored_as(dtype)), &bytes),
              "sizing a matrix: (", rows, ", ", cols, ") is out of range");
  return std::size_t(bytes);
}

Weight CpuBackend::make_matrix(std::int64_t rows, std::int64_t cols, DType dtype) {
  const std::size_t bytes = matrix_bytes(rows, cols, dtype);
  return {Weight::Form::matrix, stored_as(dtype), rows, cols, bytes, allocate(bytes)};
}

void CpuBackend::place_rows(Weight& matrix, std::int64_t first_row, const HostTensor& rows) {
  const std::int64_t k = matrix.cols;
  const std::int64_t elements = check_host(rows, "placing a matrix");
  const std::int64_t count = k == 0 ? 0 : elements / k;
  check_shape(matrix.form == Weight::Form::matrix && first_row >= 0 && first_row % kPlaceRows == 0 &&
                  count * k == elements && count <= matrix.rows - first_row &&
                  (count % kPlaceRows == 0 || count == matrix.rows - first_row),
              "placing a matrix: expected whole rows of ", k, " up to row ", matrix.rows, ", got ", elements,
              " elements for row ", first_row);
  check_shape(
      rows.dtype != DType::int8 && (!in_blocks(rows.dtype) || (rows.dtype == matrix.dtype && rows.shape.back() == k)),
      "placing a matrix: expected rows of ", k, " of ", paligemma::name(matrix.dtype), ", got blocks of ",
      paligemma::name(rows.dtype));
  const std::int64_t stride = panel_bytes(k, matrix.dtype);
  std::byte* panels = matrix.storage.get() + first_row / kPanel * stride;
  const bool by_words = rows.dtype == DType::f32 && (matrix.dtype == DType::f32 || matrix.dtype == DType::bf16) &&
                        std::uintptr_t(rows.bytes.data()) % alignof(float) == 0;
  pool_.run((count + kPanel - 1) / kPanel, [&](std::int64_t i, int) {
    if (by_words && count - i * kPanel >= kPanel)
      return pack_words(kernels_, reinterpret_cast<const float*>(rows.bytes.data()) + i * kPanel * k, k, matrix.dtype,
                        panels + i * stride);
    pack_panel(rows.bytes.data() + i * kPanel * row_bytes(rows.dtype, k), rows.dtype,
               std::min(kPanel, count - i * kPanel), k, panels + i * stride, matrix.dtype);
  });
}

Weight CpuBackend::make_vector(const HostTensor& values, std::int64_t rows, std::int64_t cols) {
  const std::int64_t count = check_host(values, "placing a vector");
  check_shape(rows >= 0 && cols >= 0 && (cols == 0 ? count == 0 : count / cols == rows && count % cols == 0),
              "placing a vector: expected (", rows, ", ", cols, "), got ", count, " elements");
  check_shape(!in_blocks(values.dtype), "placing a vector: expected numbers, got blocks of ",
              paligemma::name(values.dtype));
  const std::size_t bytes = std::size_t(count) * sizeof(float);
  Weight vector{Weight::Form::vector, DType::f32, rows, cols, bytes, allocate(bytes)};
  widen(values.bytes.data(), values.dtype, count, reinterpret_cast<float*>(vector.storage.get()));
  return vector;
}

}  // namespace paligemma
