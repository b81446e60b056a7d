#include "train/validation.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "image/patches.h"
#include "text/prompt.h"

namespace paligemma {
namespace {

constexpr std::size_t kAtOnce = 8;  // examples that are answered or scored together

}  // namespace

std::vector<float> patches_of(const Pipeline& pipeline, const Picture& picture) {
  const VisionConfig& vision = pipeline.config.vision;
  std::vector<float> patches(static_cast<std::size_t>(vision.tokens() * vision.patch_values()));
  write_patches(picture, static_cast<int>(vision.patch), pipeline.preprocessor.normalization,
                {patches.data(), vision.tokens(), vision.patch_values()});
  return patches;
}

void add_example(Batch& batch, const Pipeline& pipeline, const Example& example, const TokenizeOptions& options) {
  TokenExample one = tokenize(*pipeline.tokenizer, example.target, options).example;
  one.pictures = {std::ssize(batch.examples)};
  const std::vector<float> patches = patches_of(pipeline, example.picture);
  batch.patches.insert(batch.patches.end(), patches.begin(), patches.end());
  batch.examples.push_back(std::move(one));
}

std::vector<ValidationAnswer> answer_samples(Pipeline& pipeline, const Dataset& data, const ValidationOptions& options,
                                             const std::function<void(std::size_t done)>& progress,
                                             const std::function<bool()>& stop) {
  TargetOptions targets = options.loader.target;
  targets.fill_to = 0;  // an answer is compared with what is there
  std::vector<ValidationAnswer> answers;
  std::vector<Request> requests;
  std::size_t asked = 0;
  const auto flush = [&] {
    try {
      std::vector<Result> results = answer(pipeline, requests, {}, stop);
      for (std::size_t i = 0; i < results.size(); ++i)
        answers[answers.size() - results.size() + i].result = std::move(results[i]);
    } catch (const Error& error) {
      if (error.code() != "interrupted") throw;
      answers.resize(answers.size() - requests.size());
    }
    requests.clear();
    if (progress) progress(asked);
  };
  for (const std::size_t place : options.places) {
    if (stop && stop()) break;
    ++asked;
    try {
      const Sample& sample = data.samples[place];
      ValidationAnswer one{.place = place, .truth = sample_in_epoch(data, place, 0, options.loader.decode)};
      Dice dice(0);
      one.target = make_target(one.truth, data.classes, targets, dice, 0, 0);
      one.record = record_of(sample, one.truth, one.target.prefix);
      Request request{.task = Task::run};
      request.text = one.target.prefix;
      request.pictures = {{.path = sample.picture.name, .pixels = SharedPicture(one.truth.picture)}};
      request.max_tokens = static_cast<int>(options.answer_tokens);
      request.logprobs = true;
      if (answers.size() >= options.drawn) one.truth.picture = {};
      answers.push_back(std::move(one));
      requests.push_back(std::move(request));
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::input) throw;
      continue;
    }
    if (requests.size() == kAtOnce) flush();
  }
  if (!requests.empty()) flush();
  return answers;
}

Record record_of(const Sample& sample, const DecodedSample& truth, std::string_view prompt) {
  Record record{.id = sample.id,
                .prefix = std::string(prompt),
                .group = sample.group.empty() ? prompt_group(prompt) : sample.group,
                .answers = truth.answers,
                .answer_type = sample.answer_type};
  const bool masked = std::ranges::any_of(truth.objects, [](const DecodedObject& o) { return o.mask || o.seg; });
  switch (truth.task) {
    case SampleTask::text:
      record.task = truth.objects.empty() ? RecordTask::text : masked ? RecordTask::segment : RecordTask::detect;
      break;
    case SampleTask::caption: record.task = RecordTask::caption; break;
    case SampleTask::answer: record.task = RecordTask::answer; break;
    case SampleTask::detect: record.task = RecordTask::detect; break;
    case SampleTask::segment: record.task = RecordTask::segment; break;
    case SampleTask::refer: record.task = RecordTask::refer; break;
  }
  const int width = record.width = truth.picture.width, height = record.height = truth.picture.height;
  for (const DecodedObject& object : truth.objects) {
    MarkedObject marked{.label = object.label, .box = object.box};
    if (object.mask && width > 0) marked.mask = run_lengths(*object.mask, width, height);
    record.objects.truth.push_back(std::move(marked));
  }
  for (const SampleObject& object : sample.objects)
    if (object.crowd && sample.unit == Unit::pixels)
      record.objects.truth.push_back({.label = object.label, .box = object.box, .crowd = true});
  return record;
}

Record record_of(const ValidationAnswer& answer) {
  Record record = answer.record;
  const Result& result = answer.result;
  record.prediction = result.text;
  for (const Object& object : result.objects) {
    MarkedObject marked{.label = object.label, .box = object.box, .score = object.score};
    if (object.mask) marked.mask = run_lengths(*object.mask, result.width, result.height);
    record.objects.found.push_back(std::move(marked));
  }
  double sum = 0;
  for (const Token& token : result.tokens) sum += token.logprob;
  if (!result.tokens.empty()) record.confidence = std::exp(sum / static_cast<double>(result.tokens.size()));
  return record;
}

LossValue validation_loss(Objective& objective, Pipeline& pipeline, const Dataset& data,
                          const ValidationOptions& options, const AdapterSet* adapter) {
  double loss = 0, log_likelihood = 0;
  std::int64_t examples = 0, tokens = 0;
  Batch batch;
  const auto flush = [&] {
    if (batch.examples.empty()) return;
    const auto weights = loss_weights(batch.examples, LossMean::example);
    const Loss part = objective.run(batch, weights, adapter);
    loss += part.loss * static_cast<double>(batch.examples.size());
    examples += std::ssize(batch.examples);
    log_likelihood += part.log_likelihood, tokens += part.tokens;
    batch = {};
  };
  for (const std::size_t place : options.places) {
    try {
      add_example(batch, pipeline, make_example(data, place, options.loader, 0), options.tokens);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::input) throw;
    }
    if (batch.examples.size() == kAtOnce) flush();
  }
  flush();
  if (examples == 0) return {NAN, NAN};
  return {loss / static_cast<double>(examples), std::exp(-log_likelihood / static_cast<double>(tokens))};
}

}  // namespace paligemma
