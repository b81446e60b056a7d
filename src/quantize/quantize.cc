#include "quantize/quantize.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "convert_forms.h"
#include "io/gguf.h"
#include "model/gguf_model.h"
#include "model/network.h"
#include "model/tensor_sources.h"
#include "text/utf8.h"

namespace paligemma {
namespace {

namespace fs = std::filesystem;

// As other programs number what most tensors of a file are.
std::uint32_t file_type(QuantType type) { return type == QuantType::q8 ? 7 : 2; }

constexpr std::uint32_t kQuantizationVersion = 2;  // of the blocks' layout

// Of the tensors that q4 would hold in 4 bits, those that mixed does not.
bool stays_q8(std::string_view name) {
  constexpr std::array<std::string_view, 6> kEnds{"embed_tokens.weight", "lm_head.weight", "q_proj.weight",
                                                  "k_proj.weight",       "v_proj.weight",  "o_proj.weight"};
  return std::ranges::any_of(kEnds, [name](std::string_view end) { return name.ends_with(end); });
}

// Throws when `to` is taken or has no name for the form, before minutes of work.
void require_gguf(const fs::path& to, bool force) {
  std::error_code error;
  if (to.extension() != ".gguf")
    fail(ErrorKind::usage, "bad_value", "cannot write: ", to.string(),
         ": expected a name that ends in .gguf, by which it is known");
  const fs::file_status status = fs::status(to, error);
  if (fs::is_directory(status))
    fail(ErrorKind::usage, "file_exists", "cannot write: ", to.string(), ": expected a file, got a folder");
  if (fs::exists(status) && !force)
    fail(ErrorKind::usage, "file_exists", "cannot write: ", to.string(), ": it is there already. Try: --force");
}

// What the model is called: its folder, or its file without what says the form.
std::string model_name(const ModelFiles& from) {
  const fs::path name = folder_name(from.where);
  const bool file = from.form != Form::hugging_face && (from.form != Form::keras || name.extension() == ".keras");
  return (file ? name.stem() : name).string();
}

// The tensors of the network as the file will hold them.
TensorSource quantized(const Converted& model, QuantType type, ThreadPool& pool) {
  std::map<std::string, DType, std::less<>> types;
  Network network(model.config);
  visit(network, model.config, [&](const std::string& name, Weight&, const Shape& shape, Weight::Form form) {
    const DType in_file = model.source.dtype(name);
    types[name] = form == Weight::Form::matrix ? quantized_type(type, name, product(shape, 1), in_file) : in_file;
  });
  return retyped(model.source, [types](std::string_view name) { return types.find(name)->second; }, &pool);
}

void add_network(const Converted& model, const TensorSource& source, NewGguf& file) {
  Network network(model.config);
  visit(network, model.config, [&](const std::string& name, Weight&, const Shape&, Weight::Form) {
    file.tensors.push_back(streamed(source, name));
    file.tensors.back().name = gguf_name(name);
  });
}

// Tensors that a codec's file holds; the file must live until they are written.
void add_codec(const CodecFile& codec, NewGguf& file) {
  for (const auto& [name, tensor] : codec.tensors)
    file.tensors.push_back({.name = std::string(kGgufCodecPrefix) + name,
                            .dtype = tensor.dtype,
                            .shape = tensor.shape,
                            .pieces = 1,
                            .piece = [bytes = tensor.bytes](std::size_t) { return bytes; },
                            .done = [] {}});
}

// Of a tokenizer the one file that it is read from.
bool is_other_tokenizer(std::string_view name, const Converted& model) {
  const bool is_json = name == "tokenizer.json";
  return (is_json || name == "tokenizer.model") && model.tokenizer && model.tokenizer->is_json() != is_json;
}

void add_files(const Converted& model, const ModelFiles& from, NewGguf& file) {
  for (const CompanionFile& companion : hugging_face_files(model, from)) {
    if (std::ranges::count(kCodecFiles, companion.name) != 0 || is_other_tokenizer(companion.name, model)) continue;
    std::string content(companion.content.text());
    if (is_utf8(content))
      file.metadata.emplace_back(std::string(kGgufFilePrefix) + companion.name, std::move(content));
    else
      file.bytes.emplace_back(std::string(kGgufBytesPrefix) + companion.name, std::move(content));
  }
}

}  // namespace

DType quantized_type(QuantType type, std::string_view name, std::int64_t cols, DType in_file) {
  const bool q8 = type == QuantType::q8 || (type == QuantType::mixed && stays_q8(name));
  return Holding{q8 ? HeldAs::q8 : HeldAs::q4}.matrix(name, cols, in_file);
}

std::vector<std::string> quantize(const ModelFiles& from, const fs::path& to, const QuantizeOptions& options,
                                  const ConvertProgress& progress, const std::function<bool()>& stop) {
  require_gguf(to, options.force);
  const Converted model = prepare(from, {.to = Form::gguf, .tokenizer = options.tokenizer});
  const auto codec = find_codec(from, options.codec);
  CodecFile codec_arrays;
  if (codec) {
    const auto backend = make_cpu_backend({.threads = 1});
    MaskCodec::read(FileBytes::borrow(codec->file.bytes()), codec->where, *backend);  // refuses what is no codec
    codec_arrays = read_codec_file(FileBytes::borrow(codec->file.bytes()), codec->where);
  }

  NewGguf file{.metadata = {{"general.architecture", std::string(kGgufArchitecture)},
                            {"general.name", model_name(from)},
                            {"general.file_type", file_type(options.type)},
                            {"general.quantization_version", kQuantizationVersion},
                            {"general.alignment", static_cast<std::uint32_t>(kGgufAlignment)},
                            {std::string(kGgufLayoutKey), kGgufLayout}}};
  ThreadPool pool(0);
  const TensorSource source = quantized(model, options.type, pool);
  add_network(model, source, file);
  add_codec(codec_arrays, file);
  add_files(model, from, file);
  Meter meter(progress, stop);
  file.tensors = meter.watch(std::move(file.tensors));

  OutputFolder folder(to.has_parent_path() ? to.parent_path() : fs::path("."));
  const std::string name = to.filename().string();
  NewFile out(folder.path(name), folder.shown(name));
  write_gguf(file, [&](std::span<const std::byte> bytes) { out.write(bytes); });
  out.close();
  if (options.accept) options.accept(folder.path(name));
  folder.commit(options.force);

  std::vector<std::string> notes;
  if (!model.tokenizer) notes.emplace_back("no tokenizer was found: the new model needs one, see --tokenizer");
  if (!codec) notes.emplace_back("no mask codec was found: the new model gives codes without masks, see --codec");
  return notes;
}

}  // namespace paligemma
