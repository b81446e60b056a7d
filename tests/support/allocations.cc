#include "support/allocations.h"

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::size_t> held{0}, highest{0};

void* counted(std::size_t size, std::size_t alignment) {
  const std::size_t wanted = held.load(std::memory_order_relaxed) + size;  // counts although it may not be had
  if (wanted > highest.load(std::memory_order_relaxed)) highest.store(wanted, std::memory_order_relaxed);
  void* memory = alignment <= alignof(std::max_align_t)
                     ? std::malloc(size)
                     : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (!memory) throw std::bad_alloc();
  held.fetch_add(malloc_usable_size(memory), std::memory_order_relaxed);
  return memory;
}

void forget(void* memory) noexcept {
  held.fetch_sub(malloc_usable_size(memory), std::memory_order_relaxed);
  std::free(memory);
}

}  // namespace

// The array forms of the standard library call these.
void* operator new(std::size_t size) { return counted(size, 1); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<std::size_t>(alignment));
}
// Of sorting, which ends in the delete below.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  try {
    return counted(size, 1);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
void operator delete(void* memory) noexcept { forget(memory); }
void operator delete(void* memory, std::size_t) noexcept { forget(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { forget(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { forget(memory); }

namespace paligemma::test {

std::size_t peak_bytes(const std::function<void()>& call) {
  const std::size_t before = held.load();
  highest.store(before);
  call();
  return highest.load() - before;
}

}  // namespace paligemma::test
