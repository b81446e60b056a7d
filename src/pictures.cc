#include "pictures.h"

namespace paligemma {
namespace {

// The embeddings of pictures that are kept from call to call may take this much, beside those of the call itself.
constexpr std::int64_t kKeptBytes = std::int64_t{64} << 20;

bool same_pixels(const SharedPicture& a, const SharedPicture& b) {
  return a.pointer() == b.pointer() || (a->width == b->width && a->height == b->height && a->rgb == b->rgb);
}

// Pictures that nobody asks for stay too while there is room; the first numbers are those asked for longest ago.
void number_pictures(const Pipeline& pipeline, PicturePlan& plan) {
  std::vector<std::size_t> unused;
  for (std::size_t i = 0; i < pipeline.seen.size(); ++i) {
    const bool used = std::ranges::count(plan.pictures, std::optional(i), &PicturePlan::One::seen) > 0;
    if (!used && !pipeline.seen[i].pixels.expired()) unused.push_back(i);
  }
  const std::int64_t bytes =
      pipeline.config.vision.tokens() * pipeline.config.decoder.width * std::int64_t{sizeof(float)};
  const auto most = static_cast<std::size_t>(kKeptBytes / bytes);
  if (unused.size() > most) unused.erase(unused.begin(), unused.end() - static_cast<std::ptrdiff_t>(most));
  plan.stay = std::move(unused);
  for (PicturePlan::One& one : plan.pictures)
    if (one.seen) {
      one.number = static_cast<std::int64_t>(plan.stay.size());
      plan.stay.push_back(*one.seen);
    }
  std::int64_t next = static_cast<std::int64_t>(plan.stay.size());
  for (PicturePlan::One& one : plan.pictures)
    if (!one.seen) one.number = next++;
}

}  // namespace

PicturePlan plan_pictures(const Pipeline& pipeline, std::span<const Request> requests,
                          std::span<const EnginePrompt> prompts) {
  PicturePlan plan;
  const bool share = pipeline.options.share_pictures;
  for (std::size_t i = 0; i < requests.size(); ++i)
    for (const RequestPicture& picture : requests[i].pictures) {
      const AdapterSet* adapter = prompts[i].adapter;
      if (adapter && !adapter->changes_pictures) adapter = nullptr;
      const auto same = std::ranges::find_if(plan.pictures, [&](const PicturePlan::One& one) {
        return share && one.adapter == adapter && same_pixels(one.pixels, picture.pixels);
      });
      plan.of_request.push_back(static_cast<std::size_t>(same - plan.pictures.begin()));
      if (same != plan.pictures.end()) continue;
      PicturePlan::One& one = plan.pictures.emplace_back(PicturePlan::One{picture.pixels, adapter});
      for (std::size_t k = 0; share && k < pipeline.seen.size(); ++k)
        if (pipeline.seen[k].adapter == adapter && pipeline.seen[k].pixels.lock() == picture.pixels.pointer())
          one.seen = k;
    }
  number_pictures(pipeline, plan);
  return plan;
}

}  // namespace paligemma
