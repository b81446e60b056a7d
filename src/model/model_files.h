// A checkpoint of any form, opened: its configuration and its tensors are known, none is loaded.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/array_store.h"
#include "model/checkpoint.h"
#include "model/config.h"

namespace paligemma {

enum class Form { hugging_face, big_vision, keras, gguf };

// The configuration, and what lies beside the weights, are those of a Hugging Face folder.
constexpr bool like_hugging_face(Form form) { return form == Form::hugging_face || form == Form::gguf; }

struct ModelFiles {
  Form form = Form::hugging_face;
  std::string where;  // names the model in messages
  Config config;
  TensorSource source;  // lives as long as `arrays` and `owner`
  ArrayStore arrays;    // as they are in the file, by canonical name in a Hugging Face folder or a .gguf
  // array -> the network's tensors that it holds, with * where they are many; arrays of no use are not here
  std::map<std::string, std::vector<std::string>, std::less<>> meanings;
  Folder folder;                             // what lies in the model, or beside it
  Folder tokenizer_folder;                   // where a tokenizer is looked for
  std::vector<std::string> tokenizer_names;  // in this order
  std::uint64_t unpacked = 0;                // bytes that deflated weights take in memory as long as this lives
  std::shared_ptr<const void> owner;
};

// A Hugging Face directory, a big_vision .npz (or its .npz.part* pieces: any of them, or the name without ".part*"), a
// KerasHub preset, a .keras or a .gguf file.
// Throws Error{model} for one that is missing, damaged or inconsistent.
ModelFiles open_model_files(const std::filesystem::path& path);

// A Hugging Face folder, also one inside the program.
ModelFiles open_model_files(const Folder& folder);

}  // namespace paligemma
