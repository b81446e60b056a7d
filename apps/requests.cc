#include "requests.h"

#include <limits>
#include <string_view>

#include "base/error.h"
#include "engine/decoding.h"
#include "inputs.h"
#include "io/json_fields.h"

namespace paligemma {
namespace {

constexpr Limits<std::int64_t> kTokens{0, 1 << 20}, kSeeds{0, std::numeric_limits<std::int64_t>::max()};

// One line, each of its fields checked as it is taken.
class Line {
 public:
  // `where` is the line in messages, `file` what its paths lie beside.
  Line(const Json& line, const std::string& where, const std::string& file)
      : fields_(line, {ErrorKind::usage, "requests", "cannot read the request", where}), file_(file), where_(where) {}

  Job job(const Request& defaults) const {
    Job job{.pictures = pictures(), .request = defaults, .where = where_};
    job.request.task = Task::run;
    if (!fields_.find("prompt")) fields_.refuse("prompt", "text");
    for (const auto& [key, value] : fields_.object().items()) {
      if (key == "prompt") {
        job.request.text = fields_.text(key, value);
      } else if (key == "suffix") {
        job.request.suffix = fields_.text(key, value);
      } else if (key == "max_tokens") {
        job.request.max_tokens = static_cast<int>(fields_.whole(key, value, kTokens));
      } else if (key == "adapter") {
        job.request.adapter = value.is_null() ? std::nullopt : std::optional(fields_.text(key, value));
      } else if (key != "image" && key != "images" && !take_decoding(key, value, job.request)) {
        fields_.refuse(key, "only image, images, prompt, suffix, max_tokens, adapter and what chooses tokens");
      }
    }
    return job;
  }

 private:
  // False for another key.
  bool take_decoding(std::string_view key, const Json& value, Request& request) const {
    Sampling& sampling = request.sampling;
    Beams& beams = request.beams;
    if (key == "temperature") {
      sampling.temperature = fields_.number(key, value, kTemperature);
    } else if (key == "top_k") {
      sampling.top_k = static_cast<int>(fields_.whole(key, value, kTopK));
    } else if (key == "top_p") {
      sampling.top_p = fields_.number(key, value, kTopP);
    } else if (key == "min_p") {
      sampling.min_p = fields_.number(key, value, kMinP);
    } else if (key == "repetition_penalty") {
      sampling.repetition_penalty = fields_.number(key, value, kRepetitionPenalty);
    } else if (key == "seed") {
      sampling.seed = static_cast<std::uint64_t>(fields_.whole(key, value, kSeeds));
    } else if (key == "beams") {
      beams.count = static_cast<int>(fields_.whole(key, value, kBeams));
    } else if (key == "beam_score") {
      if (value != "mean" && value != "sum") fields_.refuse(key, "mean or sum");
      beams.score = value == "sum" ? BeamScore::sum : BeamScore::mean;
    } else if (key == "length_penalty") {
      beams.length_penalty = fields_.number(key, value, kLengthPenalty);
    } else {
      return false;
    }
    return true;
  }

  std::vector<std::string> pictures() const {
    const Json *one = fields_.find("image"), *many = fields_.find("images");
    if (one && many) fields_.refuse("image", "no images beside it");
    if (one) return {path("image", *one)};
    if (!many) fields_.refuse("image", "a path, or a list of them as images");
    if (!many->is_array() || many->empty()) fields_.refuse("images", "a list of paths");
    std::vector<std::string> paths;
    for (const Json& value : *many) paths.push_back(path("images", value));
    return paths;
  }

  std::string path(std::string_view key, const Json& value) const {
    const std::string text = fields_.text(key, value);
    if (text.empty() || text.find('\0') != std::string::npos) fields_.refuse(key, "a path", value);
    return path_beside(file_, text);
  }

  JsonFields fields_;
  const std::string &file_, &where_;
};

}  // namespace

std::vector<Job> read_requests(const std::string& path, const Request& defaults) {
  const std::vector<std::byte> bytes = read_bytes(path, "cannot read the requests", ErrorKind::usage);
  std::vector<Job> jobs;
  for_each_line(bytes, [&](int number, std::string_view line) {
    const std::string where = join(path, " line ", number);
    const Json json = parse_json(line, where, ErrorKind::usage);
    jobs.push_back(Line(json, where, path).job(defaults));
  });
  if (jobs.empty())
    fail(ErrorKind::usage, "requests", "cannot read the requests: ", path, ": expected one a line, got none");
  return jobs;
}

}  // namespace paligemma
