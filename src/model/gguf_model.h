// A whole model in one GGUF file: docs/gguf.md.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "model/model_files.h"

namespace paligemma {

// What the file is made of beside tensors of the network.
inline constexpr std::string_view kGgufArchitecture = "paligemma";
inline constexpr std::string_view kGgufLayoutKey = "paligemma.layout";
inline constexpr std::uint32_t kGgufLayout = 1;
inline constexpr std::string_view kGgufFilePrefix = "paligemma.file.";  // of values: texts
inline constexpr std::string_view kGgufBytesPrefix = "file.";           // of tensors: files that are no texts
inline constexpr std::string_view kGgufCodecPrefix = "mask_codec.";     // of tensors

// Files that hold a mask codec, in the order in which they are looked for. The last one stands for a file's tensors.
inline constexpr std::string_view kCodecFiles[] = {"vae-oid.npz", "mask_codec.npz", "mask_codec.safetensors"};

// The network's tensor as the file names it: the shorter of the spellings that canonical_name() knows, since the format
// ends names at 64 bytes.
std::string gguf_name(std::string_view canonical);

// `beside` is where a tokenizer and a codec are looked for that the file does not hold. Throws Error{model, "gguf"},
// and what read_config() throws.
ModelFiles open_gguf(FileBytes file, const std::string& where, const Folder& beside);

}  // namespace paligemma
