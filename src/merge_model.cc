#include "merge_model.h"

#include "model/merge.h"
#include "model/trained_numerics.h"

namespace paligemma {

std::vector<std::string> merge_model(ModelFiles from, const std::filesystem::path& adapter,
                                     const std::filesystem::path& to, const ModelOptions& model_options,
                                     ConvertOptions options, const ConvertProgress& progress,
                                     const std::function<bool()>& stop) {
  const Folder folder = Folder::on_disk(adapter, ErrorKind::model);
  const Adapter added = read_adapter(folder, folder_name(adapter), from.config);
  from.config.score_calibration.reset();  // of the weights without the adapter
  if (const auto numerics = read_trained_numerics(folder)) apply(*numerics, from.config);
  const auto backend = make_cpu_backend({.threads = model_options.threads});
  // Said at the source, so that what was merged is rounded once. Whole tensors of an adapter are held as the model's.
  auto dtype = from.source.dtype;
  if (options.weights) dtype = [weights = *options.weights](std::string_view) { return weights; };
  from.source = merged(std::move(from.source), added, *backend);
  from.source.dtype = dtype;
  choose_softcaps(model_options, from.config.decoder);
  if (model_options.box_divisor != 0) from.config.loc_divisor = model_options.box_divisor;
  options.to = Form::hugging_face;
  options.tokenizer = model_options.tokenizer;
  return convert(from, to, options, progress, stop);
}

}  // namespace paligemma
