// seeds: npz/pg1/model.bf16.npz npz/pg2/model.bf16.npz
// Any bytes as a model: opened, and each tensor read as loading does.
#include "model/array_store.h"
#include "model/foreign_config.h"
#include "model/network.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<paligemma::FileBytes> pieces;
  pieces.push_back(paligemma::FileBytes::borrow(std::as_bytes(std::span(data, size))));
  try {
    const paligemma::LaidOut model =
        paligemma::lay_out(paligemma::big_vision_layout(), paligemma::npz_arrays(std::move(pieces), "input"));
    const paligemma::Config config = paligemma::big_vision_config(model, {}, "input");
    paligemma::Network network(config);
    visit(network, config, [&](const std::string& name, paligemma::Weight&, const paligemma::Shape& shape, auto) {
      if (model.source.shape(name) != shape) return;  // loading refuses it
      for (std::int64_t row = 0; row < shape[0]; row += 64)
        model.source.rows(name, row, std::min<std::int64_t>(64, shape[0] - row));
    });
  } catch (const paligemma::Error&) {
  }
  return 0;
}
