#include "train/event_file.h"

#include <unistd.h>

#include <array>
#include <bit>
#include <system_error>

#include "base/error.h"

namespace paligemma {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::uint32_t, 256> kCrc32c = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    table[i] = crc;
  }
  return table;
}();

template <class T>
void append_little_endian(std::string& out, T value) {
  for (std::size_t i = 0; i < sizeof value; ++i) out += static_cast<char>(value >> 8 * i & 0xff);
}

void append_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

// A field of the protocol: its number and, in the lowest three bits, how its value is written.
enum Wire { kVarint = 0, kEightBytes = 1, kLength = 2, kFourBytes = 5 };

void append_key(std::string& out, int field, Wire wire) {
  append_varint(out, static_cast<std::uint64_t>(field) << 3 | static_cast<unsigned>(wire));
}

void append_whole(std::string& out, int field, std::int64_t value) {
  if (value == 0) return;  // what a reader takes for a field that is not there
  append_key(out, field, kVarint);
  append_varint(out, static_cast<std::uint64_t>(value));
}

void append_bytes(std::string& out, int field, std::string_view bytes) {
  append_key(out, field, kLength);
  append_varint(out, bytes.size());
  out += bytes;
}

// A summary of one value, which has a tag and `content`.
std::string summary(std::string_view tag, std::string_view content) {
  std::string value, out;
  append_bytes(value, 1, tag);
  value += content;
  append_bytes(out, 1, value);
  return out;
}

std::string record(std::string_view bytes) {
  const auto append_crc = [](std::string& out, std::string_view of) {
    append_little_endian(out, std::rotr(crc32c(of), 15) + 0xa282ead8u);
  };
  std::string out;
  append_little_endian(out, static_cast<std::uint64_t>(bytes.size()));
  append_crc(out, out);
  out += bytes;
  append_crc(out, bytes);
  return out;
}

// A name that no other file of the folder has. TensorBoard reads files in the order of their names.
fs::path new_path(const fs::path& folder, double time) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) fail(ErrorKind::failure, "write_failed", "cannot write: ", folder.string(), ": ", error.message());
  const std::string stem = join("events.out.tfevents.", static_cast<std::int64_t>(time), ".paligemma.", ::getpid());
  fs::path path = folder / stem;
  for (int attempt = 1; fs::exists(path, error); ++attempt) path = folder / join(stem, '.', attempt);
  return path;
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  std::uint32_t crc = ~0u;
  for (const char byte : bytes) crc = crc >> 8 ^ kCrc32c[(crc ^ static_cast<unsigned char>(byte)) & 0xff];
  return ~crc;
}

EventFile::EventFile(const fs::path& folder, std::int64_t first_step, double time)
    : path_(new_path(folder, time)), file_(path_, 0) {
  add_event(0, time, 3, "brain.Event:2");
  std::string start;
  append_whole(start, 1, 1);  // SessionLog.START: steps from here on are done again
  add_event(first_step, time, 7, start);
}

void EventFile::add_scalar(std::string_view tag, std::int64_t step, double value, double time) {
  std::string content;
  append_key(content, 2, kFourBytes);
  append_little_endian(content, std::bit_cast<std::uint32_t>(static_cast<float>(value)));
  add_event(step, time, 5, summary(tag, content));
}

void EventFile::add_picture(std::string_view tag, std::int64_t step, std::span<const std::byte> file, int width,
                            int height, double time) {
  constexpr int kRgb = 3;
  std::string image, content;
  append_whole(image, 1, height);
  append_whole(image, 2, width);
  append_whole(image, 3, kRgb);
  append_bytes(image, 4, {reinterpret_cast<const char*>(file.data()), file.size()});
  append_bytes(content, 4, image);
  add_event(step, time, 5, summary(tag, content));
}

void EventFile::add_event(std::int64_t step, double time, int field, std::string_view content) {
  std::string event;
  append_key(event, 1, kEightBytes);
  append_little_endian(event, std::bit_cast<std::uint64_t>(time));
  append_whole(event, 2, step);
  append_bytes(event, field, content);
  file_.append(record(event));
}

}  // namespace paligemma
