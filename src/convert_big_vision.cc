// big_vision's npz: all blocks stacked, names under params/.
#include "convert_forms.h"
#include "io/npz_writer.h"
#include "model/foreign_config.h"
#include "model/layout.h"

namespace paligemma {

void write_big_vision(const Converted& model, const OutputFolder& folder, const std::string& name, Meter& meter) {
  const Json config = big_vision_config_json(model.config);  // refuses before anything is written
  std::vector<StreamedArray> arrays = layout_arrays(big_vision_layout(), model.config, model.source);
  for (StreamedArray& array : arrays) array.name = "params/" + array.name;
  arrays = meter.watch(std::move(arrays));
  write_npz(folder.path(name), arrays, folder.shown(name));
  if (!config.empty()) folder.write("config.json", indented(config));
}

}  // namespace paligemma
