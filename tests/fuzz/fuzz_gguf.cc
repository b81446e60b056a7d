// seeds: gguf/every_type.gguf gguf/small.gguf gguf/written.gguf tiny/*.gguf
//
// Any bytes as a GGUF file: what is handed out lies in the file, once, and is as long as it says; then as a model,
// whose tensors are read as loading does.
#include <cstring>
#include <random>
#include <vector>

#include "io/gguf.h"
#include "model.h"
#include "model/gguf_model.h"

namespace {

using namespace paligemma;

void require(bool holds) {
  if (!holds) __builtin_trap();
}

// Blocks that are computed are read to their end, and no further.
void expect_widened(const GgufTensor& tensor, std::uint64_t elements) {
  if (tensor.type != GgufType::q4_k && tensor.type != GgufType::q6_k) return;
  std::vector<float> numbers(elements);
  widen_gguf(tensor.bytes.data(), tensor.type, static_cast<std::int64_t>(elements), numbers.data());
}

void expect_sound(const Gguf& file, std::span<const std::byte> bytes) {
  const auto inside = [&](std::span<const std::byte> part) {
    return part.empty() || (part.data() >= bytes.data() && part.data() + part.size() <= bytes.data() + bytes.size());
  };
  for (const auto& [key, value] : file.metadata)
    require(inside(value.bytes) && (value.type != GgufValueType::list || value.count <= value.bytes.size()));
  std::uint64_t counts[2];  // of tensors and values, little endian, after the version
  std::memcpy(counts, bytes.data() + 8, sizeof counts);
  require(file.tensors.size() == counts[0] && file.metadata.size() == counts[1]);
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
    expect_widened(tensor, elements);
  }
  const std::byte* free = bytes.data();
  for (const auto& [begin, end] : places) {
    require(begin >= free);
    free = end;
  }
}

// Where the header has numbers of 8 bytes: counts, lengths of texts and lists, sizes and offsets of tensors.
std::vector<std::size_t> numbers_in(std::span<const std::byte> bytes) {
  const Gguf file = read_gguf(FileBytes::borrow(bytes), "input");
  std::vector<std::size_t> places{8, 16};
  for (const auto& [key, value] : file.metadata)
    if (value.type == GgufValueType::text || value.type == GgufValueType::list)
      places.push_back(static_cast<std::size_t>(value.bytes.data() - bytes.data()) - 8);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  for (const auto& [name, tensor] : file.tensors) {
    const std::uint64_t length = name.size();
    std::string entry(reinterpret_cast<const char*>(&length), sizeof length);
    const std::size_t sizes = text.find(entry += name) + entry.size() + 4;  // behind the number of dimensions
    for (std::size_t i = 0; i < tensor.shape.size(); ++i) places.push_back(sizes + 8 * i);
    places.push_back(sizes + 8 * tensor.shape.size() + 4);  // behind the type
  }
  return places;
}

// A little more or less, a little below 2^64, or another bit.
std::uint64_t changed(std::uint64_t number, std::minstd_rand& random) {
  const auto kind = random() % 4;
  if (kind == 0) return number + random() % 17 - 8;
  if (kind == 1) return std::uint64_t{0} - 8 * (random() % 64);
  return number ^ std::uint64_t{1} << random() % 64;
}

}  // namespace

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max);

// A number is few of the bytes of a file, and most of what a header can lie about.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max, unsigned seed) {
  std::minstd_rand random(seed);
  if (random() % 2 == 0) return LLVMFuzzerMutate(data, size, max);
  try {
    const std::vector<std::size_t> places = numbers_in(std::as_bytes(std::span(data, size)));
    std::uint8_t* place = data + places[random() % places.size()];
    std::uint64_t number = 0;
    std::memcpy(&number, place, sizeof number);
    number = changed(number, random);
    std::memcpy(place, &number, sizeof number);
    return size;
  } catch (const Error&) {
    return LLVMFuzzerMutate(data, size, max);
  }
}

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
