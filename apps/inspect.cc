// paligemma inspect: what a checkpoint holds.
#include "inspect.h"

#include "base/error.h"
#include "base/memory.h"
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
  for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
  return text;
}

std::string memory_line(std::string_view compute, const MemoryNeed& need) {
  const std::string loading = need.loading == 0 ? "" : ", while loading " + readable_bytes(need.loading);
  return join("  --compute ", compute, ": ", readable_bytes(need.total()), " (weights ", readable_bytes(need.weights),
              ", keys and values ", readable_bytes(need.kv_cache), ", work ", readable_bytes(need.work), loading,
              ")\n");
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
  text += join("memory for picture, prompt and answer of ", inspection.positions, " tokens together:\n");
  text += memory_line("f32", inspection.f32) + memory_line("bf16", inspection.bf16);
  text += "\n";
  for (const InspectedTensor& tensor : inspection.tensors)
    text += join(printable(tensor.name), "\t", shape_text(tensor.shape), "\t", tensor.dtype, meaning_text(tensor),
                 tensor.note.empty() ? "" : "\t" + tensor.note, "\n");
  return text;
}

int run_inspect(const Command& command, std::span<const std::string> line, Session& session) {
  Arguments arguments;
  add_session_options(arguments, session);
  const auto words = arguments.parse(command, line, session.output);
  if (!words) return 0;
  const std::string path = model_path(words->empty() ? std::string() : words->front());
  const Inspection inspection = inspect(find_model(path), path.empty() ? std::string(kPocketName) : path);
  for (const Warning& warning : inspection.warnings) session.console.warning(join(warning.code, ": ", warning.text));
  const bool text = session.output.format == Format::text;
  session.output.write(text ? inspection_text(inspection) : dump_json(inspection_json(inspection)) + "\n");
  return 0;
}

}  // namespace

const Command kInspect{.name = "inspect",
                       .words = "[MODEL]",
                       .most_words = 1,
                       .summary = "Print what a model holds: family, sizes, tensors, memory needed",
                       .examples =
                           "  paligemma inspect paligemma2-3b-mix-448/\n"
                           "  paligemma inspect --json paligemma2-3b-mix-448/\n",
                       .run = run_inspect};

}  // namespace paligemma
