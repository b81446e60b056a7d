#include "program.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <new>
#include <span>

#include "arguments.h"
#include "base/error.h"
#include "commands.h"
#include "nearest.h"
#include "signals.h"

namespace paligemma {
namespace {

constexpr std::array kCommands = {&kCaption, &kOcr,        &kAsk,     &kQuestion, &kDetect, &kSegment, &kRun,
                                  &kDemo,    &kInspect,    &kConvert, &kQuantize, &kMerge,  &kTrain,   &kEval,
                                  &kCompare, &kTrainCodec, &kScenes,  &kDoctor,   &kBench,  &kVersion};

constexpr std::array<std::string_view, 5> kLaterCommands = {"label", "serve", "pull", "list", "completions"};

std::string program_help() {
  std::string text = "paligemma: PaliGemma and PaliGemma 2 on your own machine\n\n";
  for (const Command* command : kCommands) {
    const std::string usage = join("  ", command->name, " ", command->words);
    text += usage + std::string(usage.size() < 40 ? 40 - usage.size() : 1, ' ') + std::string(command->summary) + "\n";
  }
  return text +
         "\nIMAGE is a file, a folder, a pattern, @list.txt or - (stdin). Without -m MODEL the small embedded model "
         "answers.\n"
         "\npaligemma COMMAND --help says more. To begin: paligemma demo\n";
}

const Command* find_command(std::string_view name) {
  const auto found = std::ranges::find(kCommands, name, &Command::name);
  return found == kCommands.end() ? nullptr : *found;
}

[[noreturn]] void unknown_command(const std::string& word) {
  if (std::ranges::count(kLaterCommands, word) != 0) not_available("paligemma " + word);
  std::vector<std::string> names = {"--help", "--version"};
  for (const Command* command : kCommands) names.emplace_back(command->name);
  const std::string near = nearest(word, names);
  fail(ErrorKind::usage, "unknown_command", "unknown ", word.starts_with('-') ? "option" : "command", ": ", word,
       ". Try: paligemma ", near.empty() ? "--help" : near);
}

int run_command(std::span<const std::string> arguments, Session& session) {
  if (arguments.empty()) {
    session.console.error("expected a command, got none. Try: paligemma --help");
    return static_cast<int>(ErrorKind::usage);
  }
  const std::string& word = arguments.front();
  const std::span<const std::string> rest = arguments.subspan(1);
  if (word == "--version") return run_command(std::array<std::string, 1>{"version"}, session);
  if (word == "-h" || word == "--help" || (word == "help" && rest.empty())) {
    session.output.write(program_help());
    return 0;
  }
  if (word == "help") return run_command(std::array<std::string, 2>{rest.front(), "--help"}, session);
  const Command* command = find_command(word);
  if (command == nullptr) {
    if (std::ranges::count(rest, "--json") + std::ranges::count(rest, "--jsonl") > 0)
      session.output.format = Format::jsonl;
    unknown_command(word);
  }
  return command->run(*command, rest, session);
}

// A file opened later must not become stdin, stdout or stderr: in the place of one that is closed stands what fails.
void hold_standard_streams() {
  for (int stream = STDIN_FILENO; stream <= STDERR_FILENO; ++stream) {
    if (fcntl(stream, F_GETFD) < 0 && open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0) _exit(1);
  }
}

// Memory to end in order when there is none left: messages need some, and the JSON library takes some to free a value,
// where it may not fail.
constexpr std::size_t kReserve = std::size_t{16} << 20;
std::atomic<void*> reserve = nullptr;

[[noreturn]] void give_reserve() {
  std::free(reserve.exchange(nullptr));
  throw std::bad_alloc();
}

void keep_reserve() {
  std::free(reserve.exchange(std::malloc(kReserve)));
  if (reserve == nullptr) throw std::bad_alloc();
  std::set_new_handler(give_reserve);
}

// What stdout has begun is ended in its form, whatever stopped the work.
int end_with(const Error& error, Session& session) {
  const int by_signal = signal_exit_code();
  session.console.hide_progress();
  if (by_signal == 0 && error.code() != "closed_pipe") session.console.error(error.what());
  try {
    if (by_signal == 0) session.output.error(error);
    session.output.close();
  } catch (const Error&) {
    // stdout is what failed, and stderr has said so
  }
  return by_signal != 0 ? by_signal : static_cast<int>(error.kind());
}

}  // namespace

int run_program(const std::vector<std::string>& arguments) {
  hold_standard_streams();
  watch_signals();
  Session session;
  try {
    keep_reserve();
    return run_command(arguments, session);
  } catch (const Error& error) {
    return end_with(error, session);
  } catch (const std::bad_alloc&) {
    return end_with(Error(ErrorKind::resource, "out_of_memory", "not enough memory"), session);
  } catch (const std::exception& error) {
    return end_with(Error(ErrorKind::failure, "unexpected", join("unexpected: ", error.what())), session);
  }
}

}  // namespace paligemma
