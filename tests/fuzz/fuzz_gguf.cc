// seeds: gguf/*.gguf tiny/*.gguf
//
// Any bytes as a GGUF file: what is handed out lies in the file, once, and is as long as it says; then as a model,
// whose tensors are read as loading does.
#include <vector>

#include "io/gguf.h"
#include "model.h"
#include "model/gguf_model.h"

namespace {

using namespace paligemma;

void require(bool holds) {
  if (!holds) __builtin_trap();
}

void expect_sound(const Gguf& file, std::span<const std::byte> bytes) {
  const auto inside = [&](std::span<const std::byte> part) {
    return part.empty() || (part.data() >= bytes.data() && part.data() + part.size() <= bytes.data() + bytes.size());
  };
  for (const auto& [key, value] : file.metadata) require(inside(value.bytes));
  std::map<const std::byte*, const std::byte*> places;
  for (const auto& [name, tensor] : file.tensors) {
    const GgufTypeInfo* type = find_gguf_type(tensor.type);
    require(type != nullptr && tensor.shape.size() <= 4 && inside(tensor.bytes));
    std::uint64_t elements = 1;
    for (const std::int64_t n : tensor.shape)
      require(n >= 0 && !__builtin_mul_overflow(elements, static_cast<std::uint64_t>(n), &elements));
    const auto block = static_cast<std::uint64_t>(type->elements);
    require(elements % block == 0 && tensor.bytes.size() == elements / block * static_cast<std::uint64_t>(type->bytes));
    if (!tensor.bytes.empty())
      require(places.emplace(tensor.bytes.data(), tensor.bytes.data() + tensor.bytes.size()).second);
  }
  const std::byte* free = bytes.data();
  for (const auto& [begin, end] : places) {
    require(begin >= free);
    free = end;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const Folder nothing{.name = "beside", .has = [](std::string_view) { return false; }, .open = {}};
  try {
    expect_sound(read_gguf(FileBytes::borrow(bytes), "input"), bytes);
    const ModelFiles model = open_gguf(FileBytes::borrow(bytes), "input", nothing);
    read_tensors(model.source, model.config);
    for (const std::string_view name : {"mask_codec.safetensors", "tokenizer.model", "tokenizer.json"})
      if (model.folder.has(name)) require(model.folder.open(name).bytes().size() < 2 * size + 1000);
  } catch (const Error& error) {
    require(error.kind() == ErrorKind::model);
  }
  return 0;
}
