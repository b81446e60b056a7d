// seeds: tiny/*.npz
//
// Any bytes as a model: opened, and each tensor read as loading does.
#include "model.h"
#include "model/array_store.h"
#include "model/foreign_config.h"
#include "zip_mutator.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<paligemma::FileBytes> pieces;
  pieces.push_back(paligemma::FileBytes::borrow(std::as_bytes(std::span(data, size))));
  try {
    const paligemma::LaidOut model =
        paligemma::lay_out(paligemma::big_vision_layout(), paligemma::npz_arrays(std::move(pieces), "input"));
    const paligemma::Config config = paligemma::big_vision_config(model, {}, "input");
    read_tensors(model.source, config);
  } catch (const paligemma::Error&) {
  }
  return 0;
}
