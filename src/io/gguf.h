// Reads and writes GGUF: metadata, a table of tensors, and their data. Version 3, and 2, which is the same.
// https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
//
// Everything that a file could lie about is checked before a tensor is handed out: counts, lengths, types, duplicate
// names, products of sizes, offsets that are misaligned, overlap or lie beyond the end.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/tensor.h"
#include "io/file.h"
#include "io/streamed_array.h"

namespace paligemma {

// What a tensor's numbers are stored as, by the format's number. These alone are used by name; files may hold others.
enum class GgufType : std::uint32_t { f32 = 0, f16 = 1, q4_0 = 2, q8_0 = 8, q4_k = 12, q6_k = 14, i8 = 24, bf16 = 30 };

// The last axis of a tensor is cut into blocks: so many elements in so many bytes.
struct GgufTypeInfo {
  GgufType type;
  std::string_view name;  // "Q4_K"
  std::int64_t elements, bytes;
};

// Null for a type that the format does not have.
const GgufTypeInfo* find_gguf_type(GgufType type);

// The same type as those of the network, or nothing.
std::optional<DType> dtype_of(GgufType type);
GgufType gguf_type(DType type);

// Whole blocks of Q4_K or Q6_K that hold n numbers, as the numbers that they stand for.
void widen_gguf(const std::byte* source, GgufType from, std::int64_t n, float* y);

enum class GgufValueType : std::uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, text, list, u64, i64, f64 };

// A value of the metadata, as its bytes in the file.
struct GgufValue {
  GgufValueType type = GgufValueType::u8;
  GgufValueType of = GgufValueType::u8;  // what a list holds, in number
  std::uint64_t count = 0;
  std::span<const std::byte> bytes{};  // of a text without its length, of a list without its head

  // Nothing for values of other types.
  std::optional<std::string_view> text() const;
  std::optional<std::uint64_t> natural() const;  // a whole number of any size that is not negative
};

struct GgufTensor {
  GgufType type = GgufType::f32;
  std::vector<std::int64_t> shape{};  // the last axis is contiguous: the other way round in the file
  std::span<const std::byte> bytes{};
};

struct Gguf {
  FileBytes file;
  std::map<std::string, GgufValue, std::less<>> metadata;
  std::map<std::string, GgufTensor, std::less<>> tensors;
};

// `where` names the file in messages. Throws Error{model, "gguf"}.
Gguf read_gguf(FileBytes file, std::string_view where);

// A file to be written. Tensors lie in it in this order, each at a multiple of kGgufAlignment.
constexpr std::uint64_t kGgufAlignment = 32;  // the format's own where a file says nothing
struct NewGguf {
  std::vector<std::pair<std::string, std::variant<std::uint32_t, std::string>>> metadata{};
  std::vector<StreamedArray> tensors{};
  std::vector<std::pair<std::string, std::string>> bytes{};  // as tensors of I8, behind the others
};
void write_gguf(const NewGguf& contents, const ByteSink& sink);

}  // namespace paligemma
