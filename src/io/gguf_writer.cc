#include <array>

#include "io/gguf.h"

namespace paligemma {
namespace {

constexpr std::uint32_t kVersion = 3;

class HeaderText {
 public:
  void raw(std::string_view bytes) { text_ += bytes; }
  void u32(std::uint32_t number) { little_endian(number, 4); }
  void u64(std::uint64_t number) { little_endian(number, 8); }
  void text(std::string_view text) {
    u64(text.size());
    text_ += text;
  }
  void value(const std::variant<std::uint32_t, std::string>& value) {
    if (const auto* number = std::get_if<std::uint32_t>(&value)) {
      u32(static_cast<std::uint32_t>(GgufValueType::u32));
      u32(*number);
    } else {
      u32(static_cast<std::uint32_t>(GgufValueType::text));
      text(std::get<std::string>(value));
    }
  }
  // `shape` with the contiguous axis last.
  void tensor(std::string_view name, std::span<const std::int64_t> shape, GgufType type, std::uint64_t offset) {
    text(name);
    u32(static_cast<std::uint32_t>(shape.size()));
    for (std::size_t i = shape.size(); i > 0; --i) u64(static_cast<std::uint64_t>(shape[i - 1]));
    u32(static_cast<std::uint32_t>(type));
    u64(offset);
  }
  const std::string& bytes() const { return text_; }

 private:
  void little_endian(std::uint64_t number, int size) {
    for (int i = 0; i < size; ++i) text_ += static_cast<char>(number >> 8 * i);
  }
  std::string text_;
};

std::uint64_t padding(std::uint64_t size) { return (kGgufAlignment - size % kGgufAlignment) % kGgufAlignment; }

void pad(std::uint64_t size, const ByteSink& sink) {
  static constexpr std::array<std::byte, kGgufAlignment> kZeros{};
  sink(std::span(kZeros).first(padding(size)));
}

}  // namespace

void write_gguf(const NewGguf& contents, const ByteSink& sink) {
  HeaderText header;
  header.raw("GGUF");
  header.u32(kVersion);
  header.u64(contents.tensors.size() + contents.bytes.size());
  header.u64(contents.metadata.size());
  for (const auto& [key, value] : contents.metadata) {
    header.text(key);
    header.value(value);
  }
  std::uint64_t at = 0;
  const auto add = [&](std::string_view name, const std::vector<std::int64_t>& shape, GgufType type,
                       std::uint64_t bytes) {
    header.tensor(name, shape, type, at);
    at += bytes + padding(bytes);
  };
  for (const StreamedArray& tensor : contents.tensors)
    add(tensor.name, tensor.shape, gguf_type(tensor.dtype), tensor.bytes());
  for (const auto& [name, bytes] : contents.bytes)
    add(name, {static_cast<std::int64_t>(bytes.size())}, GgufType::i8, bytes.size());

  sink(std::as_bytes(std::span(header.bytes())));
  pad(header.bytes().size(), sink);
  for (const StreamedArray& tensor : contents.tensors) {
    for (std::size_t i = 0; i < tensor.pieces; ++i) sink(tensor.piece(i));
    tensor.done();
    pad(tensor.bytes(), sink);
  }
  for (const auto& [name, bytes] : contents.bytes) {
    sink(std::as_bytes(std::span(bytes)));
    pad(bytes.size(), sink);
  }
}

}  // namespace paligemma
