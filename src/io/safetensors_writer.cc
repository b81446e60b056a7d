#include <algorithm>
#include <bit>
#include <cstdint>

#include "io/json.h"
#include "io/safetensors.h"

namespace paligemma {
namespace {

constexpr std::size_t kHeaderAlignment = 8;

std::string_view format_name(DType dtype) {
  switch (dtype) {
    case DType::f32: return "F32";
    case DType::bf16: return "BF16";
    case DType::f16: return "F16";
    case DType::q8:
    case DType::q4:
    case DType::int8: break;  // the format has no such types
  }
  return "";
}

}  // namespace

void write_safetensors(std::vector<StreamedArray> tensors, const ByteSink& sink) {
  std::ranges::stable_sort(tensors, std::greater(), [](const StreamedArray& t) { return byte_size(t.dtype); });
  Json header = {{"__metadata__", {{"format", "pt"}}}};
  std::uint64_t at = 0;
  for (const StreamedArray& tensor : tensors) {
    header[tensor.name] = {
        {"dtype", format_name(tensor.dtype)}, {"shape", tensor.shape}, {"data_offsets", {at, at + tensor.bytes()}}};
    at += tensor.bytes();
  }
  std::string text = dump_json(header);
  text.resize((text.size() + kHeaderAlignment - 1) / kHeaderAlignment * kHeaderAlignment, ' ');
  std::string length;
  for (std::uint64_t rest = text.size(), i = 0; i < 8; ++i, rest >>= 8) length += static_cast<char>(rest & 0xff);
  sink(std::as_bytes(std::span(length)));
  sink(std::as_bytes(std::span(text)));
  for (const StreamedArray& tensor : tensors) {
    for (std::size_t i = 0; i < tensor.pieces; ++i) sink(tensor.piece(i));
    tensor.done();
  }
}

}  // namespace paligemma
