#include "child.h"

#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <sstream>

namespace paligemma::test {
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

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> list;
  for (std::string& string : strings) list.push_back(string.data());
  list.push_back(nullptr);
  return list;
}

// What the child does. `program` is open already, since the child may give up the right to open it.
[[noreturn]] void become_program(int program, char* const* words, char* const* environment, const Setting& setting,
                                 const Pipe& in, const Pipe& out, const Pipe& err) {
  dup2(in.read_end, STDIN_FILENO);
  dup2(err.write_end, STDERR_FILENO);
  std::signal(SIGPIPE, SIG_DFL);
  if (setting.out.empty() || setting.out == "|") {
    dup2(out.write_end, STDOUT_FILENO);
  } else {
    close(STDOUT_FILENO);
    if (setting.out != "-" && open(setting.out.c_str(), O_WRONLY) != STDOUT_FILENO) _exit(126);
  }
  if (!setting.folder.empty() && chdir(setting.folder.c_str()) != 0) _exit(126);
  if (setting.in_child) setting.in_child();
  fexecve(program, words, environment);
  _exit(127);
}

pid_t start(const std::vector<std::string>& words, const Setting& setting, const Pipe& in, const Pipe& out,
            const Pipe& err) {
  std::vector<std::string> arguments = words;
  arguments.insert(arguments.begin(), PROGRAM);
  std::vector<std::string> variables = setting.environment;
  for (const char* name :
       {"PATH", "LD_LIBRARY_PATH", "HOME", "PALIGEMMA_ISA", "ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS"}) {
    if (const char* value = std::getenv(name)) variables.push_back(std::string(name) + "=" + value);
  }
  const std::vector<char*> argument_list = pointers(arguments), environment = pointers(variables);
  const int program = open(PROGRAM, O_RDONLY | O_CLOEXEC);
  EXPECT_GE(program, 0);
  const pid_t child = fork();
  if (child == 0) become_program(program, argument_list.data(), environment.data(), setting, in, out, err);
  EXPECT_GT(child, 0);
  close(program);
  return std::max(child, 0);
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
    poll(open.data(), open.size(), setting.meanwhile ? 1 : -1);
    if (open[0].revents != 0 && !take(out.read_end, ended.out)) open[0].fd = -1;
    if (open[1].revents != 0 && !take(err.read_end, ended.err)) open[1].fd = -1;
    if (open[0].fd >= 0 && ended.out.size() >= setting.read_at_most) {
      open[0].fd = -1;
      out.close_read();
    }
    if (setting.meanwhile) setting.meanwhile(child);
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

Json json_of(const Ended& ended) { return parse_json(ended.out, "stdout", ErrorKind::failure); }

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

void give_up_root() {
  if (geteuid() != 0) return;
  constexpr uid_t kNobody = 65534;
  if (setgroups(0, nullptr) != 0 || setgid(kNobody) != 0 || setuid(kNobody) != 0) _exit(126);
}

std::function<void()> with_files_up_to(std::size_t bytes) {
  return [bytes] {
    const rlimit limit{bytes, bytes};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(126);
  };
}

}  // namespace paligemma::test
