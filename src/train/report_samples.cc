#include "train/report_samples.h"

#include "base/error.h"
#include "io/base64.h"
#include "io/file.h"
#include "io/json.h"
#include "io/output_folder.h"
#include "train/sample_picture.h"

namespace paligemma {
namespace {

constexpr const char* kSamplesFile = "before.json";

std::vector<ReportSample> read_samples(const std::filesystem::path& path) {
  std::vector<ReportSample> samples;
  try {
    const FileBytes file = FileBytes::map(path, ErrorKind::input);
    for (const Json& one : parse_json(file.text(), path.string(), ErrorKind::input))
      samples.push_back(
          {.prompt = one.at("prompt"),
           .target = one.at("target"),
           .before = one.at("text"),
           .before_picture = decode_base64(one.at("jpeg").get<std::string>()).value_or(std::vector<std::byte>())});
  } catch (const Error&) {
    return {};
  } catch (const Json::exception&) {
    return {};
  }
  return samples;
}

}  // namespace

ReportSamples::ReportSamples(std::filesystem::path folder)
    : folder_(std::move(folder)), samples_(read_samples(folder_ / kSamplesFile)) {}

void ReportSamples::begin(std::span<const ValidationAnswer> answers, std::size_t most) {
  samples_.clear();
  Json kept = Json::array();
  for (const ValidationAnswer& one : answers.first(std::min(most, answers.size()))) {
    const std::vector<std::byte> picture = sample_picture(one.truth.picture, one.result);
    kept.push_back({{"prompt", one.target.prefix},
                    {"target", one.target.text()},
                    {"text", one.result.text},
                    {"jpeg", base64(picture)}});
    samples_.push_back({.prompt = one.target.prefix,
                        .target = one.target.text(),
                        .before = one.result.text,
                        .before_picture = picture});
  }
  OutputFolder folder(folder_);
  folder.write(kSamplesFile, kept.dump(-1, ' ', false, Json::error_handler_t::replace));
  folder.commit(true);
}

void ReportSamples::update(std::span<const ValidationAnswer> answers) {
  for (std::size_t i = 0; i < std::min(samples_.size(), answers.size()); ++i) {
    samples_[i].after = answers[i].result.text;
    samples_[i].after_picture = sample_picture(answers[i].truth.picture, answers[i].result);
  }
}

}  // namespace paligemma
