// The table of contents: the eight stages from pictures and requests to results, in order.
#include "pipeline.h"

#include <chrono>

#include "detect/loc.h"
#include "detect/mask.h"
#include "detect/parse.h"
#include "image/patches.h"
#include "image/resize.h"
#include "pictures.h"
#include "text/prompt.h"

namespace paligemma {
namespace {

using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

// Stages 1 and 2: the pictures that the engine has not, resized and cut into patches: (B tokens, P).
std::vector<float> picture_patches(const Pipeline& pipeline, const PicturePlan& plan) {
  const VisionConfig& vision = pipeline.config.vision;
  const auto each = static_cast<std::size_t>(vision.tokens() * vision.patch_values());
  std::vector<float> patches;
  const int side = static_cast<int>(vision.image_size());
  for (const PicturePlan::One& one : plan.pictures) {
    if (one.seen) continue;
    patches.resize(patches.size() + each);
    const View view(patches.data() + patches.size() - each, vision.tokens(), vision.patch_values());
    const auto patch = static_cast<int>(vision.patch);
    if (pipeline.options.resize == Resize::keras)
      write_patches(resize_keras(one.pixels, side), side, patch, view);
    else
      write_patches(resize(one.pixels, side, side, pipeline.options.resize, pipeline.preprocessor.filter), patch,
                    pipeline.preprocessor.normalization, view);
  }
  return patches;
}

// Stages 3 and 4: their embeddings, in the engine.
void encode_pictures(Pipeline& pipeline, const PicturePlan& plan, std::span<const float> patches) {
  const std::int64_t values = pipeline.config.vision.patch_values();
  std::vector<const AdapterSet*> adapters;
  for (const PicturePlan::One& one : plan.pictures)
    if (!one.seen) adapters.push_back(one.adapter);
  std::vector<SeenPicture> seen;
  for (const std::size_t number : plan.stay) seen.push_back(pipeline.seen[number]);
  for (const PicturePlan::One& one : plan.pictures)
    if (!one.seen) seen.push_back({one.pixels.pointer(), one.adapter});
  pipeline.seen.clear();  // also where this fails
  const auto rows = static_cast<std::int64_t>(patches.size()) / values;
  pipeline.engine->encode_pictures({patches.data(), rows, values}, adapters, plan.stay);
  pipeline.seen = std::move(seen);
}

// Throws where the tokenizer lacks what the request or its answer is made of.
void require_tokens(const Pipeline& pipeline, const Request& request) {
  const Tokenizer& tokenizer = *pipeline.tokenizer;
  const bool detect = request.task == Task::detect, segment = request.task == Task::segment;
  const auto missing = [&](std::string_view kind) {
    const std::string_view work = detect ? "detect" : segment ? "segment" : "caption a box";
    fail(ErrorKind::model, "missing_tokens", "the model cannot ", work, ": ", pipeline.info.name, ": expected <", kind,
         "> tokens, the tokenizer has none. Try: caption, ocr, ask or run");
  };
  if ((detect || segment || request.region) && !tokenizer.loc_begin()) missing("loc");
  if (segment && !tokenizer.seg_begin()) missing("seg");
}

// The part of a picture that the model sees, and the boxes in it.
struct Seen {
  Area area;
  Frame frame;
};

Seen seen_part(const Pipeline& pipeline, int width, int height) {
  const int divisor = pipeline.options.box_divisor != 0 ? pipeline.options.box_divisor : pipeline.config.loc_divisor;
  const Area area = seen_area(width, height, pipeline.options.resize);
  return {area, {area.width, area.height, divisor}};
}

// The prompt, Request::region as tokens in it.
std::string request_prompt(const Pipeline& pipeline, const Request& request) {
  if (!request.region) return prompt_text(request);
  if (request.pictures.size() != 1)
    fail(ErrorKind::usage, "region", "cannot caption a box: expected one picture, got ", request.pictures.size());
  const RequestPicture& picture = request.pictures.front();
  check_region(*request.region, {picture.pixels->width, picture.pixels->height}, picture.path);
  const auto [area, frame] = seen_part(pipeline, picture.pixels->width, picture.pixels->height);
  std::array<double, 4> box = *request.region;
  for (const int corner : {0, 2}) box[corner] -= area.x, box[corner + 1] -= area.y;
  return prompt_text(request, loc_text(loc_of(box, frame)));
}

}  // namespace

DraftHints draft_hints(const Tokenizer& tokenizer, const Request& request) {
  if (request.task != Task::detect && request.task != Task::segment) return {};
  DraftHints hints{.first_code = *tokenizer.loc_begin(), .code_count = 1024, .codes = 4};
  if (request.task == Task::segment) hints = {.first_code = *tokenizer.seg_begin(), .code_count = 128, .codes = 16};
  for (const std::string& label : request.labels) {
    std::vector<std::int32_t> ids = tokenizer.encode(" " + label + " ; <loc0000>", Specials::text);
    ids.pop_back();
    hints.names.push_back(std::move(ids));
  }
  return hints;
}

namespace {

// How the prompt is answered by a model or adapter that was trained with so many noise boxes.
NoiseBoxes noise_boxes(const Tokenizer& tokenizer, std::string_view prompt, int count) {
  if (count == 0 || !asks_to_detect(prompt) || !tokenizer.loc_begin()) return {};
  NoiseBoxes noise{.count = count,
                   .label = tokenizer.encode(noise_label(tokenizer), Specials::tokens).front(),
                   .loc_begin = *tokenizer.loc_begin(),
                   .loc_end = *tokenizer.loc_begin() + kLocTokens};
  for (const std::string& label : asked_labels(prompt))
    noise.names.push_back(tokenizer.encode(join(" ", label), Specials::text).front());
  return noise;
}

// The adapter that answers.
std::optional<std::size_t> adapter_of(const Pipeline& pipeline, const Request& request) {
  return find_adapter(std::span(pipeline.options.adapters).first(pipeline.adapters.size()), request);
}

BoxNumerics box_numerics(const Pipeline& pipeline, std::optional<std::size_t> adapter) {
  return adapter ? pipeline.box_numerics[*adapter] : box_numerics(pipeline.config);
}

// Stage 6, first half: requests to token ids.
EnginePrompt engine_prompt(const Pipeline& pipeline, const Request& request, const Prompt& prompt,
                           std::string_view text) {
  EnginePrompt out{.ids = prompt.ids,
                   .prefix = request.causal ? 0 : static_cast<std::int64_t>(prompt.ids.size()),
                   .pictures = {},
                   .suffix = pipeline.tokenizer->encode(request.suffix, Specials::tokens),
                   .max_tokens = request.max_tokens,
                   .sampling = request.sampling,
                   .beams = request.beams,
                   .hints = draft_hints(*pipeline.tokenizer, request)};
  const auto adapter = adapter_of(pipeline, request);
  if (adapter) out.adapter = &pipeline.adapters[*adapter];
  out.noise = noise_boxes(*pipeline.tokenizer, text, box_numerics(pipeline, adapter).noise_boxes);
  return out;
}

// Stage 6, second half: token ids to text.
void write_text(const Pipeline& pipeline, const EngineAnswer& answer, Result& result) {
  const Tokenizer& tokenizer = *pipeline.tokenizer;
  result.text = tokenizer.decode(answer.ids, false);
  result.finish = answer.stopped ? Finish::eos : Finish::length;
  result.generated_tokens = static_cast<int>(answer.ids.size());
  TextStream stream(tokenizer, false);
  for (std::size_t i = 0; i < answer.ids.size(); ++i)
    result.tokens.push_back({answer.ids[i], stream.push(answer.ids[i]), answer.logprobs[i], answer.margins[i]});
  if (!result.tokens.empty()) {
    Token& last = result.tokens.back();
    last.text += answer.stopped ? tokenizer.decode(std::span(&last.id, 1), true) : stream.finish();
  }
  if (!answer.stopped)
    result.warnings.push_back(
        {"truncated", "the answer was cut after " + std::to_string(answer.ids.size()) + " tokens"});
}

// From the part of the picture that the model has seen to the whole one.
void move(Object& object, int x, int y) {
  for (const int corner : {0, 2}) object.box[corner] += x, object.box[corner + 1] += y;
  if (object.mask) object.mask->x += x, object.mask->y += y;
}

// Scores by loc_geomean, calibrated.
void calibrate(std::span<Object> objects, const ScoreCalibration& calibration) {
  for (Object& object : objects) {
    if (!object.score || object.score_kind != ScoreKind::loc_geomean) continue;
    object.score = calibration.score(*object.score);
    object.score_kind = ScoreKind::loc_calibrated;
  }
}

// Stage 7: text to boxes and masks.
void find_objects(const Pipeline& pipeline, const Request& request, ScoreKind kind, Result& result) {
  const auto [area, frame] = seen_part(pipeline, result.width, result.height);
  Parsed parsed = parse_objects(result.text, frame, request.labels);
  score_objects(parsed, result.tokens, kind);
  if (const auto calibration = box_numerics(pipeline, adapter_of(pipeline, request)).score_calibration)
    calibrate(parsed.objects, *calibration);
  bool codec_missing = false;
  for (Object& object : parsed.objects) {
    if (!object.seg) continue;
    if (!pipeline.codec)
      codec_missing = true;
    else
      object.mask = paste_mask(pipeline.codec->decode(*object.seg), object, frame, pipeline.options.mask_profile);
  }
  for (Object& object : parsed.objects) move(object, area.x, area.y);
  if (codec_missing)
    parsed.warnings.push_back(
        {"codec_missing", "masks need a codec: vae-oid.npz of google/paligemma-hf, beside the model or with --codec"});
  result.objects = std::move(parsed.objects);
  result.warnings.insert(result.warnings.end(), parsed.warnings.begin(), parsed.warnings.end());
}

}  // namespace

std::vector<Result> answer(Pipeline& pipeline, std::span<const Request> requests, std::span<const Probe> probes,
                           const std::function<bool()>& stop) {
  Engine& engine = *pipeline.engine;
  const auto start = Clock::now();
  std::vector<Result> results(requests.size());
  std::vector<EnginePrompt> prompts;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const Request& request = requests[i];
    Result& result = results[i];
    require_tokens(pipeline, request);
    result.prompt = request_prompt(pipeline, request);
    const Prompt prompt = layout_prompt(*pipeline.tokenizer, result.prompt, static_cast<int>(request.pictures.size()),
                                        static_cast<int>(pipeline.config.vision.tokens()), specials_of(request));
    prompts.push_back(engine_prompt(pipeline, request, prompt, result.prompt));
    if (!probes.empty()) {
      prompts.back().suffix = probes[i].answer;
      prompts.back().see_logits = probes[i].see_logits;
    }
    result.task = request.task;
    result.model = pipeline.info.name;
    result.prompt_tokens = static_cast<int>(prompt.ids.size());
    if (!request.pictures.empty()) {
      const RequestPicture& first = request.pictures.front();
      result.path = first.path, result.width = first.pixels->width, result.height = first.pixels->height;
    }
    if (prompt.trailing_newline)
      result.warnings.push_back(
          {"trailing_newline", "the prompt ends in a newline; another one is added, as the reference does"});
  }

  const PicturePlan plan = plan_pictures(pipeline, requests, prompts);
  auto place = plan.of_request.begin();
  for (std::size_t i = 0; i < requests.size(); ++i)
    for (std::size_t k = 0; k < requests[i].pictures.size(); ++k)
      prompts[i].pictures.push_back(plan.pictures[*place++].number);
  const std::vector<float> patches = picture_patches(pipeline, plan);  // stages 1, 2
  const double image_ms = milliseconds_since(start);
  engine.timings = {};
  encode_pictures(pipeline, plan, patches);                                  // stages 3, 4
  const std::vector<EngineAnswer> answers = engine.generate(prompts, stop);  // stage 5

  const auto post_start = Clock::now();
  for (std::size_t i = 0; i < requests.size(); ++i) {
    Result& result = results[i];
    write_text(pipeline, answers[i], result);  // stage 6
    const ScoreKind kind = prompts[i].noise.count > 0 ? ScoreKind::label_prob : ScoreKind::loc_geomean;
    find_objects(pipeline, requests[i], kind, result);  // stage 7
    if (requests[i].task != Task::detect && requests[i].task != Task::segment) result.answer = result.text;
    if (!requests[i].logprobs) result.tokens.clear();
  }
  for (Result& result : results)
    result.timings = {.load = pipeline.info.load_ms,
                      .image = image_ms,
                      .vision = engine.timings.vision,
                      .prefill = engine.timings.prefill,
                      .decode = engine.timings.decode,
                      .post = milliseconds_since(post_start),
                      .total = milliseconds_since(start)};
  return results;  // stage 8, drawing and printing, is the caller's: report/
}

std::vector<Result> Model::answer(std::span<const Request> requests, const std::function<bool()>& stop) {
  return paligemma::answer(*pipeline_, requests, {}, stop);
}

Result Model::answer(const Request& request, const std::function<bool()>& stop) {
  return std::move(answer(std::span(&request, 1), stop).front());
}

}  // namespace paligemma
