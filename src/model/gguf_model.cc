#include "model/gguf_model.h"

#include <algorithm>

#include "base/error.h"
#include "io/gguf.h"
#include "model/network.h"

namespace paligemma {
namespace {

constexpr std::string_view kTokenizers[] = {"tokenizer.model", "tokenizer.json"};

// The file with its tensors by canonical name, and what was computed last of those that are computed.
struct OpenGguf {
  Gguf file;
  std::string where;
  std::map<std::string, const std::pair<const std::string, GgufTensor>*, std::less<>> tensors{};
  std::vector<float> numbers{};

  const GgufTensor* find(std::string_view canonical) const {
    const auto found = tensors.find(canonical);
    return found == tensors.end() ? nullptr : &found->second->second;
  }
};

bool is_widened(GgufType type) { return type == GgufType::q4_k || type == GgufType::q6_k; }

// Blocks that are computed with are held in q8 where the file decides: next to them in size and in what is lost.
std::optional<DType> dtype_in_file(GgufType type) { return is_widened(type) ? DType::q8 : dtype_of(type); }

template <class... Parts>
[[noreturn]] void refuse(const std::string& where, Parts&&... parts) {
  fail(ErrorKind::model, "gguf", "cannot use: ", where, ": ", std::forward<Parts>(parts)...);
}

std::span<const std::byte> rows_of(const GgufTensor& tensor, std::int64_t first, std::int64_t count) {
  const auto row = tensor.bytes.size() / static_cast<std::size_t>(tensor.shape[0]);
  return tensor.bytes.subspan(static_cast<std::size_t>(first) * row, static_cast<std::size_t>(count) * row);
}

TensorSource source_of(const std::shared_ptr<OpenGguf>& gguf) {
  return {
      .shape = [gguf](std::string_view name) -> std::optional<std::vector<std::int64_t>> {
        const GgufTensor* tensor = gguf->find(name);
        if (tensor == nullptr) return {};
        if (!dtype_in_file(tensor->type))
          fail(ErrorKind::model, "tensor_dtype", "cannot load the model: ", gguf->where, ": tensor ", name,
               ": expected F32, F16, BF16, Q8_0, Q4_0, Q4_K or Q6_K, got ", find_gguf_type(tensor->type)->name);
        return tensor->shape;
      },
      .dtype = [gguf](std::string_view name) { return *dtype_in_file(gguf->find(name)->type); },
      .rows =
          [gguf](std::string_view name, std::int64_t first, std::int64_t count) {
            const GgufTensor& tensor = *gguf->find(name);
            std::vector<std::int64_t> shape = tensor.shape;
            shape[0] = count;
            const auto bytes = rows_of(tensor, first, count);
            if (!is_widened(tensor.type)) return HostTensor{*dtype_of(tensor.type), std::move(shape), bytes};
            const std::int64_t numbers = product(shape, 0);
            gguf->numbers.resize(static_cast<std::size_t>(numbers));
            widen_gguf(bytes.data(), tensor.type, numbers, gguf->numbers.data());
            return HostTensor{DType::f32, std::move(shape), std::as_bytes(std::span(gguf->numbers))};
          },
      .release =
          [gguf](std::string_view name) {
            gguf->file.file.release(gguf->find(name)->bytes);
            gguf->numbers = std::vector<float>();
          },
  };
}

// The codec's tensors as the file that they were.
FileBytes codec_file(const Gguf& file) {
  std::vector<StreamedArray> tensors;
  for (auto it = file.tensors.lower_bound(kGgufCodecPrefix);
       it != file.tensors.end() && it->first.starts_with(kGgufCodecPrefix); ++it) {
    const auto dtype = dtype_of(it->second.type);
    if (!dtype || in_blocks(*dtype)) continue;  // the codec says that it is missing
    tensors.push_back({.name = it->first.substr(kGgufCodecPrefix.size()),
                       .dtype = *dtype,
                       .shape = it->second.shape,
                       .pieces = 1,
                       .piece = [bytes = it->second.bytes](std::size_t) { return bytes; },
                       .done = [] {}});
  }
  std::vector<std::byte> bytes;
  write_safetensors(std::move(tensors),
                    [&](std::span<const std::byte> piece) { bytes.insert(bytes.end(), piece.begin(), piece.end()); });
  return FileBytes::copy(bytes);
}

bool has_codec(const Gguf& file) {
  const auto first = file.tensors.lower_bound(kGgufCodecPrefix);
  return first != file.tensors.end() && first->first.starts_with(kGgufCodecPrefix);
}

// The bytes of the file `name` inside, which is no codec.
std::optional<std::span<const std::byte>> find_inside(const Gguf& file, std::string_view name) {
  if (const auto value = file.metadata.find(std::string(kGgufFilePrefix).append(name));
      value != file.metadata.end() && value->second.text())
    return value->second.bytes;
  if (const auto tensor = file.tensors.find(std::string(kGgufBytesPrefix).append(name));
      tensor != file.tensors.end() && tensor->second.type == GgufType::i8)
    return tensor->second.bytes;
  return {};
}

// The files inside; of `beside` tokenizers and codecs alone, where there are none inside.
Folder folder_of(const std::shared_ptr<const OpenGguf>& gguf, const Folder& beside) {
  const bool codec = has_codec(gguf->file);
  const bool tokenizer = std::ranges::any_of(
      kTokenizers, [&](std::string_view name) { return find_inside(gguf->file, name).has_value(); });
  const auto is_beside = [beside, codec, tokenizer](std::string_view name) {
    const bool looked_for = (!codec && std::ranges::count(kCodecFiles, name) != 0) ||
                            (!tokenizer && std::ranges::count(kTokenizers, name) != 0);
    return looked_for && beside.has(name);
  };
  const std::string_view codec_name = std::ranges::end(kCodecFiles)[-1];
  const auto inside = [gguf, codec, codec_name](std::string_view name) {
    return (codec && name == codec_name) || find_inside(gguf->file, name).has_value();
  };
  return {.name = gguf->where,
          .has = [=](std::string_view name) { return inside(name) || is_beside(name); },
          .open =
              [=](std::string_view name) {
                if (codec && name == codec_name) return codec_file(gguf->file);
                if (const auto bytes = find_inside(gguf->file, name)) return FileBytes::borrow(*bytes);
                if (is_beside(name)) return beside.open(name);
                fail(ErrorKind::model, "file_not_found", "no such file: ", gguf->where, ": ", name);
              }};
}

// Files that other programs make hold one half of a model each, and another program's words for the rest.
void require_whole_model(const Gguf& file, const std::string& where) {
  const auto text = [&](std::string_view key) {
    const auto found = file.metadata.find(key);
    return found == file.metadata.end() ? std::nullopt : found->second.text();
  };
  std::vector<std::string_view> missing;
  if (!find_inside(file, "config.json")) missing.push_back("the configuration (paligemma.file.config.json)");
  const auto has_part = [&](std::string_view prefix) {
    return std::ranges::any_of(file.tensors,
                               [&](const auto& it) { return canonical_name(it.first).starts_with(prefix); });
  };
  if (!has_part("vision_tower.vision_model.")) missing.push_back("the vision tower");
  if (!has_part("multi_modal_projector.")) missing.push_back("the projector");
  if (!has_part("language_model.model.")) missing.push_back("the decoder");
  const auto architecture = text("general.architecture");
  if (architecture == kGgufArchitecture && missing.empty()) {
    const auto layout = file.metadata.find(kGgufLayoutKey);
    const std::uint64_t number = layout == file.metadata.end() ? 0 : layout->second.natural().value_or(0);
    if (number != kGgufLayout) refuse(where, kGgufLayoutKey, ": expected ", kGgufLayout, ", got ", number);
    return;
  }
  std::string list;
  for (const std::string_view part : missing) list += (list.empty() ? "" : ", ") + std::string(part);
  refuse(where, "general.architecture: expected \"paligemma\", got ",
         architecture ? join('"', *architecture, '"') : "none", list.empty() ? "" : "; not in this file: ", list,
         ". Try: paligemma quantize with the model that it was made of");
}

// Tensors by name, and what each is to the model.
void name_tensors(const std::shared_ptr<OpenGguf>& gguf, ModelFiles& files) {
  ArrayStore& arrays = files.arrays;
  for (const auto& named : gguf->file.tensors) {
    const auto& [file_name, tensor] = named;
    const std::string name = canonical_name(file_name);
    const auto [place, added] = gguf->tensors.try_emplace(name, &named);
    if (!added)
      fail(ErrorKind::model, "tensor_twice", "a tensor stands twice: ", gguf->where, ": ", file_name, " is also ",
           place->second->first);
    const std::string type(find_gguf_type(tensor.type)->name);
    const auto dtype = dtype_of(tensor.type);
    if (file_name.starts_with(kGgufCodecPrefix)) files.meanings[name] = {"mask codec"};
    if (file_name.starts_with(kGgufBytesPrefix)) files.meanings[name] = {file_name.substr(kGgufBytesPrefix.size())};
    arrays.arrays.emplace(name, StoredArray{file_name, dtype.value_or(DType::f32), tensor.shape, dtype ? "" : type});
  }
  arrays.where = gguf->where;
  arrays.read = [gguf](std::string_view name, std::uint64_t offset, std::uint64_t size) {
    return gguf->find(name)->bytes.subspan(offset, size);
  };
  arrays.release = [gguf](std::string_view name) { gguf->file.file.release(gguf->find(name)->bytes); };
}

}  // namespace

std::string gguf_name(std::string_view canonical) {
  std::string name(canonical);
  for (const std::string_view prefix : {"vision_tower.vision_model.", "language_model.model."})
    if (name.starts_with(prefix)) {
      const std::size_t first = prefix.find('.') + 1;
      name.erase(first, prefix.size() - first);
    }
  return name;
}

ModelFiles open_gguf(FileBytes bytes, const std::string& where, const Folder& beside) {
  const auto gguf = std::make_shared<OpenGguf>(OpenGguf{read_gguf(std::move(bytes), where), where});
  require_whole_model(gguf->file, where);
  ModelFiles files{.form = Form::gguf, .where = where};
  name_tensors(gguf, files);
  files.folder = files.tokenizer_folder = folder_of(gguf, beside);
  files.tokenizer_names.assign(std::begin(kTokenizers), std::end(kTokenizers));
  files.source = source_of(gguf);
  files.config = read_config(files.folder, files.source.shape);
  Network network(files.config);
  visit(network, files.config,
        [&](const std::string& name, Weight&, const Shape&, Weight::Form) { files.meanings[name] = {name}; });
  files.owner = gguf;
  return files;
}

}  // namespace paligemma
