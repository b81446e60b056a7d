// A fixed set of threads that share loops.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

namespace paligemma {

class ThreadPool {
 public:
  // `threads` counts the caller; 0 means one for each core that the process may use.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const;

  // Calls task(i, thread) once for each i in [0, count), in any order, on any thread (thread in [0, threads())), and
  // returns when all are done. The calling thread works too. Not reentrant. `task` must not throw.
  void run(std::int64_t count, const std::function<void(std::int64_t index, int thread)>& task);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace paligemma
