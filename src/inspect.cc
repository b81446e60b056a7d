#include "inspect.h"

#include <algorithm>
#include <cstring>

#include "io/streamed_array.h"
#include "model/network.h"

namespace paligemma {
namespace {

// Values whose exponent bits are all set.
template <class Bits>
std::uint64_t count_not_finite(std::span<const std::byte> bytes, Bits exponent) {
  std::uint64_t count = 0;
  for (std::size_t at = 0; at + sizeof(Bits) <= bytes.size(); at += sizeof(Bits)) {
    Bits bits;
    std::memcpy(&bits, bytes.data() + at, sizeof bits);
    count += (bits & exponent) == exponent;
  }
  return count;
}

}  // namespace

std::uint64_t count_not_finite(DType dtype, std::span<const std::byte> bytes) {
  switch (dtype) {
    case DType::f32: return count_not_finite<std::uint32_t>(bytes, 0x7f800000u);
    case DType::bf16: return count_not_finite<std::uint16_t>(bytes, 0x7f80u);
    case DType::f16: return count_not_finite<std::uint16_t>(bytes, 0x7c00u);
    case DType::q8:
    case DType::q4:
    case DType::int8: break;
  }
  const auto block = static_cast<std::size_t>(row_bytes(dtype, kQuantBlock));
  std::uint64_t count = 0;  // the elements of a block are integers, its scale is what may be wrong
  for (std::size_t at = 0; at < bytes.size(); at += block)
    count += count_not_finite<std::uint16_t>(bytes.subspan(at, sizeof(std::uint16_t)), 0x7c00u) * kQuantBlock;
  return count;
}

Warning not_finite_warning(std::string_view name, std::uint64_t count) {
  return {"not_finite",
          join(name, " holds ", count, count == 1 ? " value that is" : " values that are", " NaN or infinite")};
}

namespace {

std::uint64_t count_not_finite(const ArrayStore& arrays, const std::string& name, const StoredArray& array) {
  constexpr std::uint64_t kPieceBlocks = std::uint64_t{1} << 19;  // some MiB, of any type
  const auto piece = kPieceBlocks * static_cast<std::uint64_t>(row_bytes(array.dtype, kQuantBlock));
  const std::uint64_t size = array_bytes(array.dtype, array.shape);
  std::uint64_t count = 0;
  for (std::uint64_t at = 0; at < size; at += piece)
    count += count_not_finite(array.dtype, arrays.read(name, at, std::min(piece, size - at)));
  return count;
}

// Of an array whose type is no DType: its numbers come computed.
std::uint64_t count_not_finite(const TensorSource& source, const std::string& name, const StoredArray& array) {
  std::uint64_t count = 0;
  for (std::int64_t row = 0; row < array.shape[0]; ++row)
    count += count_not_finite(DType::f32, source.rows(name, row, 1).bytes);
  return count;
}

// Why a matrix among blocks is not in blocks, or nothing.
std::string why_not_in_blocks(const ModelFiles& files, const std::string& name, const StoredArray& array) {
  if (files.form != Form::gguf || in_blocks(array.dtype) || !array.type.empty()) return {};
  std::string why;
  Network network(files.config);
  visit(network, files.config, [&](const std::string& tensor, Weight&, const Shape& shape, Weight::Form form) {
    const std::int64_t cols = product(shape, 1);
    if (tensor == name && form == Weight::Form::matrix && cols % kQuantBlock != 0)
      why = join("rows of ", cols, " are not whole blocks of ", kQuantBlock);
  });
  return why;
}

// As `convert --to` says it.
std::string_view form_word(Form form) {
  switch (form) {
    case Form::big_vision: return "npz";
    case Form::keras: return "keras";
    case Form::gguf: return "gguf";
    case Form::hugging_face: break;
  }
  return "hf";
}

Json memory_json(const MemoryNeed& need) {
  return {{"weights", need.weights},
          {"kv_cache", need.kv_cache},
          {"work", need.work},
          {"loading", need.loading},
          {"total", need.total()}};
}

}  // namespace

Inspection inspect(const ModelFiles& files, std::string name) {
  Inspection out{.form = files.form, .config = files.config};
  const Config& config = out.config;
  const TensorSource& source = files.source;
  for (const auto& [key, array] : files.arrays.arrays) {
    const auto meaning = files.meanings.find(key);
    InspectedTensor tensor{array.file_name, array.shape,
                           array.type.empty() ? std::string(paligemma::name(array.dtype)) : array.type,
                           meaning == files.meanings.end() ? std::vector<std::string>{} : meaning->second};
    tensor.note = why_not_in_blocks(files, key, array);
    if (array.type.empty())
      tensor.not_finite = count_not_finite(files.arrays, key, array);
    else if (tensor.meaning == std::vector{key})
      tensor.not_finite = count_not_finite(source, key, array);
    files.arrays.release(key);
    if (tensor.not_finite > 0) out.warnings.push_back(not_finite_warning(tensor.name, tensor.not_finite));
    if (!tensor.used()) out.warnings.push_back({"unused_tensor", join(tensor.name, " is not part of the network")});
    out.tensors.push_back(std::move(tensor));
  }
  for (const auto& [file_name, dtype] : files.arrays.others) {
    out.tensors.push_back({file_name, {}, dtype, {}});
    out.warnings.push_back({"unused_tensor", join(file_name, " has the type ", dtype, ", which is not read")});
  }

  const auto backend = make_cpu_backend({.threads = 1});
  out.positions = config.vision.tokens() + kTypicalAnswer;
  out.f32 = memory_need(config, source, {.precision = Precision::f32}, *backend, out.positions, kTypicalBatch);
  out.bf16 = memory_need(config, source, {.precision = Precision::bf16}, *backend, out.positions, kTypicalBatch);
  out.f32.loading = out.bf16.loading = files.unpacked;
  out.info = describe(config, std::move(name));
  return out;
}

Json calibration_json(const std::optional<ScoreCalibration>& calibration) {
  if (!calibration) return {};
  return {{"slope", calibration->slope}, {"offset", calibration->offset}};
}

Json inspection_json(const Inspection& inspection) {
  const VisionConfig& v = inspection.config.vision;
  const DecoderConfig& d = inspection.config.decoder;
  Json tensors = Json::array();
  for (const InspectedTensor& tensor : inspection.tensors) {
    tensors.push_back({{"name", tensor.name},
                       {"shape", tensor.shape},
                       {"dtype", tensor.dtype},
                       {"used", tensor.used()},
                       {"meaning", tensor.meaning}});
    if (!tensor.note.empty()) tensors.back()["note"] = tensor.note;
  }
  Json warnings = Json::array();
  for (const Warning& warning : inspection.warnings)
    warnings.push_back({{"code", warning.code}, {"text", warning.text}});
  return {
      {"schema", "paligemma.inspect/1"},
      {"model", inspection.info.name},
      {"form", form_word(inspection.form)},
      {"family", inspection.info.family},
      {"parameters", inspection.info.parameters},
      {"image_size", v.image_size()},
      {"image_tokens", v.tokens()},
      {"vision", {{"width", v.width}, {"layers", v.layers}, {"heads", v.heads}, {"mlp", v.mlp}, {"patch", v.patch}}},
      {"decoder",
       {{"width", d.width},
        {"layers", d.layers},
        {"heads", d.heads},
        {"kv_heads", d.kv_heads},
        {"head_size", d.head_size},
        {"mlp", d.mlp},
        {"vocabulary", d.vocabulary},
        {"query_scale", d.query_scale},
        {"attention_soft_cap", d.attention_cap},
        {"final_soft_cap", d.final_cap},
        {"rope_theta", d.rope_theta}}},
      {"noise_boxes", inspection.config.noise_boxes},
      {"score_calibration", calibration_json(inspection.config.score_calibration)},
      {"memory_bytes",
       {{"positions", inspection.positions},
        {"f32", memory_json(inspection.f32)},
        {"bf16", memory_json(inspection.bf16)}}},
      {"tensors", tensors},
      {"warnings", warnings}};
}

}  // namespace paligemma
