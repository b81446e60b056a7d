// paligemma bench: the speed of a shape on this machine.
#include "bench/bench.h"

#include "options.h"
#include "pipeline.h"

namespace paligemma {
namespace {

int run_bench(const Command& command, std::span<const std::string> line, Session& session) {
  Arguments arguments;
  BenchOptions bench{.shape = "paligemma2-3b-224"};
  AnswerOptions options;
  std::vector<std::string> names = shape_names();
  arguments.value(
      "Measure", "--shape", "NAME",
      [&](const std::string& got) {
        if (std::ranges::count(names, got) == 0) bad_choice("--shape", names, got);
        bench.shape = got;
      },
      "paligemma2-3b-224, paligemma-3b-448, paligemma2-10b-224, ... (paligemma2-3b-224)");
  const auto count = [&arguments](const std::string& name, std::int64_t low, int& target, const std::string& help) {
    arguments.number("Measure", name, low, 4096, target, help);
  };
  count("--batch", 1, bench.batch, "Prompts that are answered together, each with its picture (1)");
  count("--prompt-tokens", 1, bench.prompt_tokens, "Tokens of the prompt (4)");
  count("--max-tokens", 2, bench.generated_tokens, "Tokens of the answer (8)");
  count("--repetitions", 1, bench.repetitions, "How often each stage is measured (10)");
  arguments.real("Measure", "--seconds", 0, 1e6, bench.seconds, "After so long no other prompt is begun (120)");
  arguments.flag("Measure", "--whole-last-block", bench.whole_last_block,
                 "Compute the last block for all rows of the prompt, not for those that are needed");
  bool limits_only = false;
  arguments.flag("Measure", "--limits", limits_only, "Measure the machine's limits alone");
  add_precision_options(arguments, options.model_options);
  add_threads_option(arguments, options.model_options);
  add_session_options(arguments, session);
  if (!arguments.parse(command, line, session.output)) return 0;
  bench.holding = holding_of(options.model_options);
  bench.threads = options.model_options.threads;
  bench.progress = [&](const std::string& text) { session.console.note(text); };
  const BenchReport report = limits_only ? measure_limits(bench) : run_bench(bench);
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
                         "  paligemma bench --shape paligemma2-10b-448 --compute bf16 -t 8\n",
                     .run = run_bench};

}  // namespace paligemma
