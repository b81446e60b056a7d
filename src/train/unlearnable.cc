#include "train/unlearnable.h"

#include <algorithm>
#include <map>
#include <set>

namespace paligemma {
namespace {

constexpr std::size_t kSamples = 1000;

class ZeroRows {
 public:
  explicit ZeroRows(const Pipeline& pipeline)
      : pipeline_(pipeline), row_(static_cast<std::size_t>(pipeline.config.decoder.width)) {}

  bool has(std::int32_t id) {
    const auto [known, fresh] = zero_.emplace(id, false);
    if (fresh) {
      pipeline_.backend->embed(pipeline_.network.decoder.embedding, {&id, 1}, 1, DType::f32,
                               {row_.data(), 1, std::ssize(row_)});
      known->second = std::ranges::all_of(row_, [](float value) { return value == 0; });
    }
    return known->second;
  }

 private:
  const Pipeline& pipeline_;
  std::vector<float> row_;
  std::map<std::int32_t, bool> zero_;
};

}  // namespace

std::vector<std::string> unlearnable_words(const Pipeline& pipeline, const Dataset& data) {
  std::set<std::string> texts;
  for (const std::string& name : data.classes) texts.insert(" " + name);  // as it stands behind a box
  for (const Sample& sample : std::span(data.samples).first(std::min(kSamples, data.samples.size())))
    texts.insert(sample.answers.begin(), sample.answers.end());
  ZeroRows zero(pipeline);
  std::vector<std::string> found;
  for (const std::string& text : texts) {
    const std::vector<std::int32_t> ids = pipeline.tokenizer->encode(text, Specials::tokens);
    if (std::ranges::any_of(ids, [&](std::int32_t id) { return zero.has(id); }))
      found.push_back(text.starts_with(' ') ? text.substr(1) : text);
  }
  return found;
}

}  // namespace paligemma
