// Which pictures of a call have to go through the vision tower: each different one once, and none that the engine still
// has from the last call.
#pragma once

#include "pipeline.h"

namespace paligemma {

// The pictures of a call, each one once, and how they become numbers in the engine.
struct PicturePlan {
  struct One {
    SharedPicture pixels;
    const AdapterSet* adapter = nullptr;  // that changes its embeddings
    std::optional<std::size_t> seen{};    // number in the last call
    std::int64_t number = 0;
  };
  std::vector<One> pictures;
  std::vector<std::size_t> of_request;  // places in `pictures`, of all pictures of all requests in order
  std::vector<std::size_t> stay;        // Engine::encode_pictures
};

// `prompts` have the adapters of the requests.
PicturePlan plan_pictures(const Pipeline& pipeline, std::span<const Request> requests,
                          std::span<const EnginePrompt> prompts);

}  // namespace paligemma
