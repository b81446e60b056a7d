#include "requests.h"

#include <limits>
#include <string_view>

#include "base/error.h"
#include "engine/decoding.h"
#include "inputs.h"
#include "io/json.h"

namespace paligemma {
namespace {

// The fields of one line, each checked as it is taken.
class Line {
 public:
  Line(std::string_view text, const std::string& file, int number)
      : file_(file), where_(join(file, " line ", number)), fields_(parse_json(text, where_, ErrorKind::usage)) {
    if (!fields_.is_object()) refuse("an object", fields_);
  }

  Job job(const Request& defaults) const {
    Job job{.pictures = pictures(), .request = defaults, .where = where_};
    job.request.task = Task::run;
    for (const auto& [key, value] : fields_.items()) {
      if (key == "prompt") {
        job.request.text = string(key, value);
      } else if (key == "suffix") {
        job.request.suffix = string(key, value);
      } else if (key == "max_tokens") {
        job.request.max_tokens = whole<int>(key, value, {0, 1 << 20});
      } else if (key == "adapter") {
        if (value.is_null())
          job.request.adapter.reset();
        else
          job.request.adapter = string(key, value);
      } else if (key != "image" && key != "images" && !take_decoding(key, value, job.request)) {
        refuse("only image, images, prompt, suffix, max_tokens, adapter and what chooses tokens", key);
      }
    }
    if (!fields_.contains("prompt")) refuse("a prompt", "none");
    return job;
  }

 private:
  // False for another key.
  bool take_decoding(std::string_view key, const Json& value, Request& request) const {
    Sampling& sampling = request.sampling;
    Beams& beams = request.beams;
    if (key == "temperature") {
      sampling.temperature = real(key, value, kTemperature);
    } else if (key == "top_k") {
      sampling.top_k = whole(key, value, kTopK);
    } else if (key == "top_p") {
      sampling.top_p = real(key, value, kTopP);
    } else if (key == "min_p") {
      sampling.min_p = real(key, value, kMinP);
    } else if (key == "repetition_penalty") {
      sampling.repetition_penalty = real(key, value, kRepetitionPenalty);
    } else if (key == "seed") {
      sampling.seed = whole<std::uint64_t>(key, value, {0, std::numeric_limits<std::int64_t>::max()});
    } else if (key == "beams") {
      beams.count = whole(key, value, kBeams);
    } else if (key == "beam_score") {
      if (value != "mean" && value != "sum") refuse("beam_score to be mean or sum", value);
      beams.score = value == "sum" ? BeamScore::sum : BeamScore::mean;
    } else if (key == "length_penalty") {
      beams.length_penalty = real(key, value, kLengthPenalty);
    } else {
      return false;
    }
    return true;
  }

  template <class T>
  T whole(std::string_view key, const Json& value, Limits<T> limits) const {
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() < static_cast<std::uint64_t>(limits.low) ||
        value.get<std::uint64_t>() > static_cast<std::uint64_t>(limits.high))
      refuse(join(key, " to be a whole number from ", limits.low, " to ", limits.high), value);
    return value.get<T>();
  }

  double real(std::string_view key, const Json& value, Limits<double> limits) const {
    if (!value.is_number() || !(value.get<double>() >= limits.low && value.get<double>() <= limits.high))
      refuse(join(key, " to be a number from ", limits.low, " to ", limits.high), value);
    return value.get<double>();
  }

  std::vector<std::string> pictures() const {
    const auto one = fields_.find("image");
    const auto many = fields_.find("images");
    if ((one != fields_.end()) == (many != fields_.end())) {
      refuse("either image or images", one != fields_.end() ? "both" : "neither");
    }
    if (one != fields_.end()) return {path("image", *one)};
    if (!many->is_array() || many->empty()) refuse("images to be a list of paths", *many);
    std::vector<std::string> paths;
    for (const Json& value : *many) paths.push_back(path("images", value));
    return paths;
  }

  std::string path(std::string_view key, const Json& value) const {
    const std::string text = string(key, value);
    if (text.empty() || text.find('\0') != std::string::npos) refuse(join(key, " to hold a path"), value);
    return path_beside(file_, text);
  }

  std::string string(std::string_view key, const Json& value) const {
    if (!value.is_string()) refuse(join(key, " to be text"), value);
    return value.get<std::string>();
  }

  [[noreturn]] void refuse(std::string_view expected, const Json& got) const {
    constexpr std::size_t kShown = 80;
    const std::string text = got.is_string() ? got.get<std::string>() : dump_json(got);
    fail(ErrorKind::usage, "requests", "cannot read the request: ", where_, ": expected ", expected, ", got ",
         text.substr(0, kShown), text.size() > kShown ? "..." : "");
  }

  const std::string& file_;
  std::string where_;
  Json fields_;
};

}  // namespace

std::vector<Job> read_requests(const std::string& path, const Request& defaults) {
  const std::vector<std::byte> bytes = read_bytes(path, "cannot read the requests", ErrorKind::usage);
  std::vector<Job> jobs;
  for_each_line(bytes,
                [&](int number, std::string_view line) { jobs.push_back(Line(line, path, number).job(defaults)); });
  if (jobs.empty())
    fail(ErrorKind::usage, "requests", "cannot read the requests: ", path, ": expected one a line, got none");
  return jobs;
}

}  // namespace paligemma
