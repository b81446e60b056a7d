// paligemma bench: the speed of a shape on this machine.
#include "bench/train_bench.h"
#include "options.h"
#include "pipeline.h"

namespace paligemma {
namespace {

// What was asked for; what both kinds of benchmark have is in `answer` alone until measure().
struct BenchCommand {
  BenchOptions answer{.shape = "paligemma2-3b-224"};
  bool train = false, limits_only = false, cached_features = false;
  std::optional<int> answer_tokens, rank;
  std::optional<TrainMode> mode;
  std::optional<bool> checkpoint;
  ModelOptions model{};
};

void add_measure_options(Arguments& arguments, BenchCommand& asked) {
  arguments.value(
      "Measure", "--shape", "NAME",
      [&](const std::string& got) {
        const std::vector<std::string> names = shape_names();
        if (std::ranges::count(names, got) == 0) bad_choice("--shape", names, got);
        asked.answer.shape = got;
      },
      "paligemma2-3b-224, paligemma-3b-448, paligemma2-10b-224, ... (paligemma2-3b-224)");
  const auto count = [&arguments](const std::string& name, std::int64_t low, auto& target, const std::string& help) {
    arguments.number("Measure", name, low, 4096, target, help);
  };
  count("--batch", 1, asked.answer.batch, "Prompts that are answered together, each with its picture (1)");
  count("--prompt-tokens", 1, asked.answer.prompt_tokens, "Tokens of the prompt (4)");
  count("--max-tokens", 2, asked.answer_tokens, "Tokens of the answer (8; with --train 32)");
  count("--repetitions", 1, asked.answer.repetitions, "How often each stage is measured (10)");
  arguments.real("Measure", "--seconds", 0, 1e6, asked.answer.seconds,
                 "After so long no other prompt or step is begun (120)");
  arguments.flag("Measure", "--whole-last-block", asked.answer.whole_last_block,
                 "Compute the last block for all rows of the prompt, not for those that are needed");
  arguments.flag("Measure", "--limits", asked.limits_only, "Measure the machine's limits alone");
}

void add_train_options(Arguments& arguments, BenchCommand& asked) {
  arguments.flag("Train", "--train", asked.train, "Measure steps of training in place of answers");
  arguments.choice<std::optional<TrainMode>>(
      "Train", "--mode", asked.mode,
      {{"lora", TrainMode::lora}, {"qlora", TrainMode::qlora}, {"full", TrainMode::full}},
      "What is trained (lora); qlora is lora with weights of q4");
  arguments.number("Train", "--rank", 1, 4096, asked.rank, "Of LoRA (8)");
  arguments.choice<std::optional<bool>>("Train", "--checkpoint", asked.checkpoint, {{"on", true}, {"off", false}},
                                        "Run blocks again for their gradients: less memory, more time (off)");
  arguments.flag("Train", "--cached-features", asked.cached_features, "The vision tower ran before the step");
}

BenchReport measure_training(const BenchCommand& asked) {
  TrainBenchOptions options;
  const BenchOptions& same = asked.answer;
  options.shape = same.shape, options.holding = same.holding, options.threads = same.threads;
  options.batch = same.batch, options.prompt_tokens = same.prompt_tokens, options.progress = same.progress;
  options.repetitions = same.repetitions, options.seconds = same.seconds;
  options.answer_tokens = asked.answer_tokens.value_or(options.answer_tokens);
  options.keep = asked.checkpoint.value_or(false) ? Keep::inputs : Keep::intermediates;
  options.mode = asked.mode.value_or(options.mode);
  options.rank = asked.rank.value_or(options.rank);
  options.cached_features = asked.cached_features;
  if (options.mode == TrainMode::qlora && options.holding.held == HeldAs::as_in_file) options.holding.held = HeldAs::q4;
  return run_train_bench(options);
}

int run_bench(const Command& command, std::span<const std::string> line, Session& session) {
  Arguments arguments;
  BenchCommand asked;
  add_measure_options(arguments, asked);
  add_train_options(arguments, asked);
  add_precision_options(arguments, asked.model);
  add_threads_option(arguments, asked.model);
  add_session_options(arguments, session);
  if (!arguments.parse(command, line, session.output)) return 0;
  if (!asked.train && (asked.mode || asked.rank || asked.checkpoint || asked.cached_features))
    fail(ErrorKind::usage, "train",
         "--mode, --rank, --checkpoint and --cached-features are about training. Try: --train");
  BenchOptions& answer = asked.answer;
  answer.holding = holding_of(asked.model);
  answer.threads = asked.model.threads;
  answer.progress = [&](const std::string& text) { session.console.note(text); };
  answer.generated_tokens = asked.answer_tokens.value_or(answer.generated_tokens);
  const BenchReport report = asked.limits_only ? measure_limits(answer)
                             : asked.train     ? measure_training(asked)
                                               : run_bench(answer);
  const bool text = session.output.format == Format::text;
  session.output.write(text ? bench_table(report) : dump_json(bench_json(report)) + "\n");
  return 0;
}

}  // namespace

const Command kBench{.name = "bench",
                     .words = "",
                     .most_words = 0,
                     .summary = "Measure the speed of a published shape with random weights",
                     .examples =
                         "  paligemma bench --shape paligemma2-3b-224\n"
                         "  paligemma bench --shape paligemma2-10b-448 --compute bf16 -t 8\n"
                         "  paligemma bench --train --mode qlora --checkpoint on\n",
                     .run = run_bench};

}  // namespace paligemma
