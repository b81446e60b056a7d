// Reads and writes the safetensors format: u64 little-endian header length, JSON header, raw data.
// https://github.com/huggingface/safetensors
//
// Everything that a file could lie about is checked before a tensor is handed out: lengths, overlaps, order, dtype
// against byte count, overflow of products, duplicate names.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/tensor.h"
#include "io/file.h"
#include "io/streamed_array.h"

namespace paligemma {

// A tensor of a type that the network does not compute with: its dtype as written, its bytes as they are.
struct RawTensor {
  std::string dtype;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;
};

// f32, bf16 and f16 are in `tensors`, all other types in `others`.
struct Safetensors {
  FileBytes file;
  std::map<std::string, HostTensor, std::less<>> tensors;
  std::map<std::string, RawTensor, std::less<>> others;
  std::map<std::string, std::string, std::less<>> metadata;
};

// `where` names the file in messages. Throws Error{model, "safetensors"}.
Safetensors read_safetensors(FileBytes file, std::string_view where);

// Writes front to back, with the metadata that transformers asks for. Four-byte elements come first, so that all are
// aligned.
void write_safetensors(std::vector<StreamedArray> tensors, const ByteSink& sink);

}  // namespace paligemma
