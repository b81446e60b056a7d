#include "base/thread_pool.h"

#include <atomic>
#include <system_error>
#include <thread>
#include <vector>

#include "base/cpu_info.h"
#include "base/error.h"

namespace paligemma {
namespace {

// How often a thread looks before it sleeps: some 50 to 100 microseconds. The gaps between the loops of one decode step
// are shorter, those between two requests much longer.
constexpr int kSpins = 2000;

// Returns when `word` no longer holds `old`.
void wait_while(std::atomic<std::uint32_t>& word, std::uint32_t old) {
  for (int i = 0; i < kSpins; ++i) {
    if (word.load(std::memory_order_acquire) != old) return;
    spin_pause();
  }
  while (word.load(std::memory_order_acquire) == old) word.wait(old, std::memory_order_acquire);
}

}  // namespace

// A loop is open from run()'s publishing it until its last index is taken. A worker that wakes up too late finds the
// loop closed and leaves it alone, so that run() never waits for a sleeper. `round` is odd while a loop is open.
struct ThreadPool::Impl {
  std::vector<std::thread> workers;
  Call call{};
  std::int64_t count = 0;
  alignas(64) std::atomic<std::int64_t> next{0};
  alignas(64) std::atomic<std::uint32_t> round{0};
  alignas(64) std::atomic<std::uint32_t> inside{0};  // workers that may touch call and count
  std::atomic<bool> stop{false};

  ~Impl() {
    stop.store(true, std::memory_order_release);
    round.fetch_add(2);
    round.notify_all();
    for (auto& worker : workers) worker.join();
  }

  void work(int thread) {
    for (std::int64_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count;) call.invoke(call.self, i, thread);
  }

  void loop(int thread) {
    std::uint32_t seen = 0;
    // `stop` is set before `round` changes for the last time, so whoever has seen that change sees it here.
    while (!stop.load(std::memory_order_acquire)) {
      wait_while(round, seen);
      // Sequentially consistent on both sides: either run() sees this worker inside, or the worker sees it closed.
      inside.fetch_add(1);
      seen = round.load();
      if (seen % 2 == 1) work(thread);
      if (inside.fetch_sub(1) == 1) inside.notify_one();
    }
  }
};

ThreadPool::ThreadPool(int threads) : impl_(std::make_unique<Impl>()) {
  if (threads <= 0) threads = usable_cores();
  try {
    for (int t = 1; t < threads; ++t) impl_->workers.emplace_back([impl = impl_.get(), t] { impl->loop(t); });
  } catch (const std::system_error& error) {
    fail(ErrorKind::resource, "threads", "cannot start a thread: expected ", threads, " threads, got ", this->threads(),
         ": ", error.code().message(), ". Try: --threads ", this->threads());
  }
}

ThreadPool::~ThreadPool() = default;

int ThreadPool::threads() const { return static_cast<int>(impl_->workers.size()) + 1; }

void ThreadPool::run(std::int64_t count, Call call) {
  if (impl_->workers.empty() || count <= 1) {
    for (std::int64_t i = 0; i < count; ++i) call.invoke(call.self, i, 0);
    return;
  }
  impl_->call = call;
  impl_->count = count;
  impl_->next.store(0, std::memory_order_relaxed);
  impl_->round.fetch_add(1);
  impl_->round.notify_all();
  impl_->work(0);
  impl_->round.fetch_add(1);
  for (std::uint32_t n; (n = impl_->inside.load()) != 0;) wait_while(impl_->inside, n);
}

}  // namespace paligemma
