// A fixed set of threads that share loops.
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

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
  // returns when all are done. The calling thread works too. Not reentrant. `task` must not throw. Allocates nothing.
  template <class Task>
  void run(std::int64_t count, Task&& task) {
    using Plain = std::remove_reference_t<Task>;
    run(count, {const_cast<void*>(static_cast<const void*>(&task)),
                [](void* self, std::int64_t i, int thread) { (*static_cast<Plain*>(self))(i, thread); }});
  }

 private:
  struct Call {
    void* self;
    void (*invoke)(void* self, std::int64_t index, int thread);
  };
  void run(std::int64_t count, Call call);

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace paligemma
