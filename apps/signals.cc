#include "signals.h"

#include <unistd.h>

#include <atomic>
#include <csignal>

namespace paligemma {
namespace {

// A signal handler can reach nothing but static storage.
std::atomic<bool> deferred{false};
std::atomic<int> noted{0};
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);

extern "C" void handle_signal(int signal) {
  const int earlier = noted.exchange(signal);
  const bool stronger = earlier == SIGINT && signal == SIGTERM;
  if (!deferred || (earlier != 0 && !stronger)) _exit(128 + signal);
}

void watch(int signal, void (*handler)(int)) {
  struct sigaction old{};
  if (sigaction(signal, nullptr, &old) == 0 && old.sa_handler == SIG_IGN) return;
  // Without SA_RESTART, so that a read from a terminal or a pipe ends too.
  struct sigaction action{};
  action.sa_handler = handler;
  sigaction(signal, &action, nullptr);
}

}  // namespace

void watch_signals() {
  watch(SIGINT, handle_signal);
  watch(SIGTERM, handle_signal);
  watch(SIGPIPE, SIG_IGN);
  watch(SIGXFSZ, SIG_IGN);
}

void defer_signals(bool defer) { deferred = defer; }
bool interrupted() { return noted != 0; }
bool terminated() { return noted == SIGTERM; }
int signal_exit_code() { return noted == 0 ? 0 : 128 + noted; }

}  // namespace paligemma
