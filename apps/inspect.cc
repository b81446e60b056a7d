// paligemma inspect: what a checkpoint or an adapter holds.
#include "inspect.h"

#include <charconv>

#include "base/error.h"
#include "base/memory.h"
#include "inspect_adapter.h"
#include "model/pocket.h"
#include "options.h"
#include "report/printable.h"

namespace paligemma {
namespace {

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text;
  for (const std::int64_t size : shape) text += join(text.empty() ? "" : "x", size);
  return text.empty() ? "-" : text;
}

// What an array holds, where its name does not say it.
std::string meaning_text(const InspectedTensor& tensor) {
  if (!tensor.used()) return "\tunused";
  if (tensor.meaning.size() == 1 && tensor.meaning.front() == canonical_name(tensor.name)) return "";
  std::string text;
  for (const std::string& name : tensor.meaning) text += (text.empty() ? "\t= " : ", ") + name;
  return text;
}

std::string_view form_text(Form form) {
  switch (form) {
    case Form::big_vision: return "big_vision npz";
    case Form::keras: return "KerasHub preset";
    case Form::gguf: return "GGUF file";
    case Form::hugging_face: break;
  }
  return "Hugging Face checkpoint";
}

// 3,032,242,416
std::string with_commas(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, 1, ',');
  return text;
}

std::string memory_line(std::string_view compute, const MemoryNeed& need) {
  const std::string loading = need.loading == 0 ? "" : ", while loading " + readable_bytes(need.loading);
  return join("  --compute ", compute, ": ", readable_bytes(need.total()), " (weights ", readable_bytes(need.weights),
              ", keys and values ", readable_bytes(need.kv_cache), ", work ", readable_bytes(need.work), loading,
              ")\n");
}

// 0.5, 16, 5.656854
std::string number_text(double number) {
  char text[32];
  return {text, std::to_chars(text, std::end(text), static_cast<float>(number)).ptr};
}

std::string calibration_line(const std::optional<ScoreCalibration>& calibration) {
  if (!calibration) return {};
  return join("score calibration: slope ", number_text(calibration->slope), ", offset ",
              number_text(calibration->offset), "\n");
}

std::string inspection_text(const Inspection& inspection) {
  const ModelInfo& info = inspection.info;
  const VisionConfig& v = inspection.config.vision;
  const DecoderConfig& d = inspection.config.decoder;
  std::string text = join(printable(info.name), ": ", info.family, ", ", form_text(inspection.form), ", ",
                          with_commas(info.parameters), " parameters\n");
  text += join("vision: ", v.image_size(), " px, patch ", v.patch, ", ", v.tokens(), " tokens, width ", v.width, ", ",
               v.layers, " layers, ", v.heads, " heads, mlp ", v.mlp, "\n");
  text += join("decoder: width ", d.width, ", ", d.layers, " layers, ", d.heads, " heads of ", d.head_size, " (",
               d.kv_heads, " for keys and values), mlp ", d.mlp, ", vocabulary ", d.vocabulary, "\n");
  if (inspection.config.noise_boxes > 0) text += join("noise boxes: ", inspection.config.noise_boxes, "\n");
  text += calibration_line(inspection.config.score_calibration);
  text += join("memory for picture, prompt and answer of ", inspection.positions, " tokens together:\n");
  text += memory_line("f32", inspection.f32) + memory_line("bf16", inspection.bf16);
  text += "\n";
  for (const InspectedTensor& tensor : inspection.tensors)
    text += join(printable(tensor.name), "\t", shape_text(tensor.shape), "\t", tensor.dtype, meaning_text(tensor),
                 tensor.note.empty() ? "" : "\t" + tensor.note, "\n");
  return text;
}

// 0-2, 5
std::string layers_text(const std::vector<std::int64_t>& layers) {
  std::string text;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const std::size_t first = i;
    while (i + 1 < layers.size() && layers[i + 1] == layers[i] + 1) ++i;
    text += join(text.empty() ? "" : ", ", layers[first]);
    if (i > first) text += join("-", layers[i]);
  }
  return text;
}

std::string modules_line(const InspectedModules& modules) {
  const std::size_t count = modules.layers.size();
  std::string text = printable(modules.name);
  text += count == 0 ? "\t" : join("\t", count, count == 1 ? " layer: " : " layers: ", layers_text(modules.layers));
  if (modules.kind == InspectedModules::Kind::whole)
    text += "\twhole";
  else
    text +=
        join("\trank ", modules.rank, ", alpha ", number_text(modules.alpha), ", factor ", number_text(modules.factor));
  return text + join("\t", modules.dtype, "\t", with_commas(modules.parameters), " parameters\n");
}

std::string patterns_line(const Json& config, const char* key) {
  const auto patterns = config.find(key);
  if (patterns == config.end() || patterns->empty()) return {};
  std::string text;
  for (const auto& [pattern, value] : patterns->items())
    text += join(text.empty() ? "" : ", ", printable(pattern), " = ", number_text(value.get<double>()));
  return join(key, ": ", text, "\n");
}

std::string adapter_text(const AdapterInspection& inspection) {
  const AdapterConfig& config = inspection.config;
  std::string text =
      join(printable(inspection.name), ": LoRA adapter for ",
           inspection.base_model.empty() ? "a model that it does not name" : printable(inspection.base_model), ", ",
           with_commas(inspection.parameters), " parameters, ", readable_bytes(inspection.bytes), "\n");
  text += join("rank ", config.rank, ", alpha ", number_text(config.alpha), config.rslora ? ", rsLoRA" : "",
               config.dora ? ", DoRA" : "", config.lora_bias ? ", biases" : "", "\n");
  text += calibration_line(inspection.score_calibration);
  text += patterns_line(inspection.json, "rank_pattern") + patterns_line(inspection.json, "alpha_pattern");
  std::string saved;
  for (const std::string& name : config.modules_to_save) saved += (saved.empty() ? "" : ", ") + printable(name);
  if (!saved.empty()) text += join("modules_to_save: ", saved, "\n");
  text += "\n";
  for (const InspectedModules& modules : inspection.modules) text += modules_line(modules);
  return text;
}

void print(const std::string& text, const Json& json, std::span<const Warning> warnings, Session& session) {
  for (const Warning& warning : warnings) session.console.warning(join(warning.code, ": ", warning.text));
  session.output.write(session.output.format == Format::text ? text : dump_json(json) + "\n");
}

int run_inspect(const Command& command, std::span<const std::string> line, Session& session) {
  Arguments arguments;
  add_session_options(arguments, session);
  const auto words = arguments.parse(command, line, session.output);
  if (!words) return 0;
  const std::string path = model_path(words->empty() ? std::string() : words->front());
  if (!path.empty() && holds_adapter(path)) {
    const AdapterInspection inspection = inspect_adapter(Folder::on_disk(path, ErrorKind::model), path);
    print(adapter_text(inspection), adapter_inspection_json(inspection), inspection.warnings, session);
    return 0;
  }
  const Inspection inspection = inspect(find_model(path), path.empty() ? std::string(kPocketName) : path);
  print(inspection_text(inspection), inspection_json(inspection), inspection.warnings, session);
  return 0;
}

}  // namespace

const Command kInspect{.name = "inspect",
                       .words = "[MODEL]",
                       .most_words = 1,
                       .summary = "Print what a model or an adapter holds: family, sizes, tensors, memory needed",
                       .examples =
                           "  paligemma inspect paligemma2-3b-mix-448/\n"
                           "  paligemma inspect --json paligemma2-3b-mix-448/\n"
                           "  paligemma inspect adapter/\n",
                       .run = run_inspect};

}  // namespace paligemma
