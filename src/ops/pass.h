// What a forward pass carries from op to op.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <string_view>

#include "ops/adapter.h"

namespace paligemma {

// Memory for activations: a stack of device memory. Views stay valid until the mark before them is restored. Memory
// once taken from the back end is kept for the next pass, so that a decode step allocates nothing.
class Arena {
 public:
  static constexpr std::size_t kChunkBytes = std::size_t{4} << 20;

  explicit Arena(Backend& backend, std::size_t chunk_bytes = kChunkBytes)
      : backend_(backend), chunk_bytes_(chunk_bytes) {}

  // (rows, cols), uninitialised, rows contiguous, 64-byte aligned.
  View rows(std::int64_t rows, std::int64_t cols);

  struct Mark {
    std::size_t chunk = 0;
    std::size_t used = 0;
  };
  Mark mark() const { return top_; }
  std::size_t most_bytes() const { return most_; }  // that were in use at once
  void restore(Mark mark) { top_ = mark; }

 private:
  struct Chunk {
    Buffer memory;
    std::size_t bytes;
  };
  Backend& backend_;
  std::size_t chunk_bytes_;  // the least that is taken from the back end
  std::deque<Chunk> chunks_;
  Mark top_;
  std::size_t most_ = 0;
};

// Gives back at its end what was taken from the arena since its beginning.
class ArenaScope {
 public:
  explicit ArenaScope(Arena& arena) : arena_(arena), mark_(arena.mark()) {}
  ~ArenaScope() { arena_.restore(mark_); }
  ArenaScope(const ArenaScope&) = delete;
  ArenaScope& operator=(const ArenaScope&) = delete;

 private:
  Arena& arena_;
  Arena::Mark mark_;
};

// Names the intermediates of one block: "decoder.layers.3".
struct BlockName {
  std::string_view layers;
  std::int64_t index = 0;
};

class Tape;

struct Pass {
  Backend& backend;
  Arena& arena;
  Precision precision = Precision::f32;
  // Called with the name and the value of every intermediate when set.
  std::function<void(std::string_view name, ConstView value)> tap{};
  // Of the rows that the ops are called with.
  std::span<const AdapterRows> adapters{};
  // When set, ops record there how their gradients are found.
  Tape* tape = nullptr;

  void see(std::string_view name, ConstView value) const {
    if (tap) tap(name, value);
  }
  // "<layers>.<index>" or "<layers>.<index>.<part>"; put together only when somebody looks.
  void see(BlockName block, std::string_view part, ConstView value) const {
    if (!tap) return;
    std::string name = std::string(block.layers) + "." + std::to_string(block.index);
    if (!part.empty()) name.append(".").append(part);
    tap(name, value);
  }
};

}  // namespace paligemma
