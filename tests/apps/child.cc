#include "child.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>

namespace paligemma::testing {
namespace {

struct Pipe {
  int read_end = -1, write_end = -1;
  Pipe() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) == 0) read_end = ends[0], write_end = ends[1];
  }
  ~Pipe() { close_read(), close_write(); }
  void close_read() {
    if (read_end >= 0) close(read_end);
    read_end = -1;
  }
  void close_write() {
    if (write_end >= 0) close(write_end);
    write_end = -1;
  }
};

pid_t start(const std::vector<std::string>& words, const Setting& setting, const Pipe& in, const Pipe& out,
            const Pipe& err) {
  std::vector<std::string> storage = words;
  storage.insert(storage.begin(), PROGRAM);
  std::vector<char*> arguments;
  for (std::string& word : storage) arguments.push_back(word.data());
  arguments.push_back(nullptr);

  std::vector<std::string> variables = setting.environment;
  for (const char* name : {"PATH", "LD_LIBRARY_PATH", "HOME", "PALIGEMMA_ISA", "ASAN_OPTIONS", "UBSAN_OPTIONS"}) {
    if (const char* value = std::getenv(name)) variables.push_back(std::string(name) + "=" + value);
  }
  std::vector<char*> environment;
  for (std::string& variable : variables) environment.push_back(variable.data());
  environment.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.read_end, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err.write_end, STDERR_FILENO);
  if (setting.out.empty() || setting.out == "|") {
    posix_spawn_file_actions_adddup2(&actions, out.write_end, STDOUT_FILENO);
  } else if (setting.out == "-") {
    posix_spawn_file_actions_addclose(&actions, STDOUT_FILENO);
  } else {
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, setting.out.c_str(), O_WRONLY, 0);
  }
  if (!setting.folder.empty()) posix_spawn_file_actions_addchdir_np(&actions, setting.folder.c_str());
  pid_t child = 0;
  const int failed = posix_spawn(&child, PROGRAM, &actions, nullptr, arguments.data(), environment.data());
  posix_spawn_file_actions_destroy(&actions);
  EXPECT_EQ(failed, 0);
  return failed == 0 ? child : 0;
}

// Appends what there is to read. False at the end.
bool take(int descriptor, std::string& text) {
  std::array<char, 1 << 16> buffer;
  const ssize_t count = read(descriptor, buffer.data(), buffer.size());
  if (count > 0) text.append(buffer.data(), static_cast<std::size_t>(count));
  return count > 0;
}

}  // namespace

Ended run_program(const std::vector<std::string>& words, const Setting& setting) {
  Pipe in, out, err;
  if (setting.out == "|") out.close_read();
  const pid_t child = start(words, setting, in, out, err);
  if (child == 0) return {.code = -1};
  in.close_read();
  out.close_write();
  err.close_write();
  std::signal(SIGPIPE, SIG_IGN);  // a child that does not read its stdin
  for (std::size_t at = 0; at < setting.in.size();) {
    const ssize_t count = write(in.write_end, setting.in.data() + at, setting.in.size() - at);
    if (count <= 0) break;
    at += static_cast<std::size_t>(count);
  }
  in.close_write();

  Ended ended;
  std::function<void(pid_t)> at_first_output = setting.at_first_output;
  std::array<pollfd, 2> open = {{{out.read_end, POLLIN, 0}, {err.read_end, POLLIN, 0}}};
  while (open[0].fd >= 0 || open[1].fd >= 0) {
    poll(open.data(), open.size(), -1);
    if (open[0].revents != 0 && !take(out.read_end, ended.out)) open[0].fd = -1;
    if (open[1].revents != 0 && !take(err.read_end, ended.err)) open[1].fd = -1;
    if (!ended.out.empty() && at_first_output) {
      at_first_output(child);
      at_first_output = nullptr;
    }
  }
  int status = 0;
  waitpid(child, &status, 0);
  ended.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return ended;
}

}  // namespace paligemma::testing
