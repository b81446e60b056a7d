#include "engine/engine.h"

#include <algorithm>
#include <chrono>
#include <numeric>

#include "base/error.h"
#include "engine/budget.h"
#include "engine/decoding.h"

namespace paligemma {
namespace {

class Stopwatch {
 public:
  explicit Stopwatch(double& total) : total_(total) {}
  ~Stopwatch() { total_ += std::chrono::duration<double, std::milli>(Clock::now() - start_).count(); }

 private:
  using Clock = std::chrono::steady_clock;
  double& total_;
  Clock::time_point start_ = Clock::now();
};

// Adds the next `rows` rows to the table of a pass that has `first` already.
void add_rows(std::vector<AdapterRows>& table, std::int64_t first, std::int64_t rows, const AdapterSet* adapter) {
  if (!adapter) return;
  if (!table.empty() && table.back().adapter == adapter && table.back().row + table.back().rows == first)
    table.back().rows += rows;
  else
    table.push_back({first, rows, adapter});
}

}  // namespace

struct Engine::Running {
  // What goes through the decoder as one sequence: the answer so far, or one live hypothesis of the beam search.
  struct Strand {
    BlockTable blocks{};
    std::int32_t last = 0;  // its last token, not yet in the cache
  };

  const EnginePrompt* prompt = nullptr;
  EngineAnswer answer{};
  std::vector<Strand> strands{Strand{}};
  std::optional<BeamSearch> search{};
  std::vector<Continuations> continuations{};  // of the strands in order, until the search advances
  std::int64_t cached = 0;                     // positions of each strand in the cache
  std::vector<std::int32_t> guesses{};         // behind the last token, in this step
  std::size_t read = 0;                        // rows of this step whose logits count
  int generated = 0;
  bool done = false;

  std::int64_t prefill_rows() const { return static_cast<std::int64_t>(prompt->ids.size() + prompt->suffix.size()); }
  std::int64_t capacity() const { return prefill_rows() + prompt->max_tokens; }
  // Strands share the full blocks of the prompt at least.
  std::int64_t most_blocks() const {
    const std::int64_t shared = prefill_rows() / kKvBlockTokens;
    const std::int64_t all = (capacity() + kKvBlockTokens - 1) / kKvBlockTokens;
    return shared + prompt->beams.count * (all - shared);
  }
  // Whether the tokens chosen in this step are those guessed, up to the row at `place`.
  bool reaches(std::size_t place) const {
    return place == 0 || (!done && read == place && strands.front().last == guesses[place - 1]);
  }
  Sequence sequence(const Strand& strand, std::int64_t row, std::int64_t rows) const {
    return {row, rows, cached, prompt->prefix, strand.blocks};
  }
};

Engine::Engine(Backend& backend, const Config& config, const Network& network, const EngineOptions& options)
    : backend_(backend), config_(config), network_(network), options_(options), arena_(backend) {
  if (options_.draft_rows != 0) return;
  std::size_t bytes = network.decoder.output().bytes;
  for (const DecoderBlock& block : network.decoder.blocks)
    bytes += block.gate.bytes + block.up.bytes + block.down.bytes;
  options_.draft_rows = rows_for_drafts(network.decoder.blocks.front().gate.dtype, bytes);
}

void Engine::encode_pictures(ConstView patches, std::span<const AdapterSet* const> adapters,
                             std::span<const std::size_t> stay) {
  const Stopwatch watch(timings.vision);
  std::vector<Buffer> kept;
  for (const std::size_t number : stay) kept.push_back(std::move(pictures_[number]));
  pictures_ = std::move(kept);
  if (patches.rows == 0) return;
  const std::int64_t tokens = config_.vision.tokens();
  const std::int64_t at_once =
      std::clamp<std::int64_t>(patches.rows / tokens, 1, std::max<std::int64_t>(1, kPictureRows / tokens));
  if (at_once > vision_batch_) {
    vision_memory_ = make_vision_memory(backend_, config_.vision, at_once, options_.precision);
    vision_batch_ = at_once;
  }
  const std::int64_t width = config_.decoder.width;
  for (std::int64_t row = 0; row < patches.rows; row += at_once * tokens) {
    const ArenaScope scope(arena_);
    const std::int64_t rows = std::min(at_once * tokens, patches.rows - row);
    std::vector<AdapterRows> table;
    for (std::int64_t at = 0; at < rows && !adapters.empty(); at += tokens)
      add_rows(table, at, tokens, adapters[static_cast<std::size_t>((row + at) / tokens)]);
    Pass pass = this->pass(table);
    const View features =
        vision_tower(pass, config_.vision, network_.vision, patches.row_range(row, rows), vision_memory_);
    const ConstView projected = projector(pass, network_, features);
    for (std::int64_t at = 0; at < rows; at += tokens) {
      Buffer& picture =
          pictures_.emplace_back(backend_.allocate(static_cast<std::size_t>(tokens * width) * sizeof(float)));
      backend_.copy(projected.row_range(at, tokens), {reinterpret_cast<float*>(picture.get()), tokens, width});
    }
  }
}

// Returns the blocks that there are to use.
std::int64_t Engine::reserve_cache(std::span<const Running> all) {
  const KvCache like = cache_like(config_, options_.precision);
  std::int64_t sum = 0, largest = 0;
  for (const Running& running : all) {
    sum += running.most_blocks();
    largest = std::max(largest, running.most_blocks());
  }
  const std::int64_t blocks = cache_blocks(like, sum, largest, options_.cache_bytes);
  pool_.reset(backend_, like, blocks);
  return blocks;
}

// The logits that have a share in the softmax.
std::span<const float> Engine::counted(ConstView logits, std::int64_t row) const {
  return {logits.row(row),
          static_cast<std::size_t>(config_.numerics.counts_padding_rows ? logits.cols : options_.real_vocabulary)};
}

void Engine::end(Running& running) {
  for (Running::Strand& strand : running.strands) pool_.release(strand.blocks);
  running.done = true;
}

// What may be next in the strand whose logits are read.
Allowed Engine::allowed_next(const Running& running) const {
  const EnginePrompt& prompt = *running.prompt;
  Allowed allowed{options_.real_vocabulary};
  if (prompt.noise.count == 0) return allowed;
  std::vector<std::int32_t> answer = running.answer.ids;
  if (running.search) {
    const auto& ids = running.search->live()[running.continuations.size()].ids;
    answer.insert(answer.end(), ids.begin(), ids.end());
  }
  const auto written = static_cast<std::int64_t>(answer.size() - prompt.suffix.size());
  narrow(allowed, prompt.noise, answer, prompt.max_tokens - written, options_.eos_token);
  return allowed;
}

// The logits that follow a strand; those of all strands in order.
void Engine::read_logits(Running& running, std::span<const float> logits) {
  if (running.search)
    running.continuations.push_back(running.search->continuations(logits, allowed_next(running)));
  else
    choose_token(running, logits);
}

void Engine::choose_token(Running& running, std::span<const float> logits) {
  const EnginePrompt& prompt = *running.prompt;
  EngineAnswer& answer = running.answer;
  if (prompt.see_logits) prompt.see_logits(logits);
  Choice choice{options_.eos_token, 0, 0};
  if (prompt.max_tokens == 0) {
    choice.logprob = logprob_of(logits, options_.eos_token);
  } else {
    std::vector<std::int32_t> history;
    if (prompt.sampling.repetition_penalty != 1) {
      history = prompt.ids;
      history.insert(history.end(), answer.ids.begin(), answer.ids.end());
    }
    choice = choose(logits, allowed_next(running), history, prompt.sampling, config_.numerics.top_p_keeps_ties,
                    static_cast<std::uint64_t>(running.generated));
  }
  answer.ids.push_back(choice.id);
  answer.logprobs.push_back(choice.logprob);
  answer.margins.push_back(choice.margin);
  answer.stopped = choice.id == options_.eos_token;
  running.strands.front().last = choice.id;
  if (answer.stopped || ++running.generated >= prompt.max_tokens) end(running);
}

void Engine::advance_beams(Running& running) {
  const std::vector<std::size_t> parents = running.search->advance(running.continuations);
  running.continuations.clear();
  std::vector<Running::Strand> next;
  for (std::size_t i = 0; i < parents.size(); ++i)
    next.push_back({pool_.fork(running.strands[parents[i]].blocks), running.search->live()[i].ids.back()});
  for (Running::Strand& strand : running.strands) pool_.release(strand.blocks);
  running.strands = std::move(next);
  if (!parents.empty()) return;
  const Hypothesis& best = running.search->finished().front();
  EngineAnswer& answer = running.answer;
  answer.ids.insert(answer.ids.end(), best.ids.begin(), best.ids.end());
  answer.logprobs.insert(answer.logprobs.end(), best.logprobs.begin(), best.logprobs.end());
  answer.margins.resize(answer.ids.size(), 0);
  answer.stopped = best.ids.back() == options_.eos_token;
  end(running);
}

// How many of those that wait can begin in one pass.
std::size_t Engine::admissible(std::span<const Running> waiting, std::int64_t free_blocks) const {
  const std::int64_t most_rows = rows_of_prompts(config_.decoder);
  std::int64_t rows = 0;
  std::size_t count = 0;
  for (const Running& running : waiting) {
    rows += running.prefill_rows();
    free_blocks -= running.most_blocks();
    if (free_blocks < 0 || (count > 0 && rows > most_rows)) break;
    ++count;
  }
  return count;
}

void Engine::prefill(std::span<Running> batch) {
  const ArenaScope scope(arena_);
  std::vector<std::int32_t> ids;
  std::vector<Sequence> sequences;
  std::vector<AdapterRows> adapters;
  std::vector<std::int64_t> predicting;  // the last rows of each sequence: those of the suffix and the one before it
  for (Running& running : batch) {
    const auto row = static_cast<std::int64_t>(ids.size());
    predicting.push_back(static_cast<std::int64_t>(running.prompt->suffix.size()) + 1);
    Running::Strand& strand = running.strands.front();
    pool_.make_writable(backend_, strand.blocks, 0, running.prefill_rows());
    sequences.push_back(running.sequence(strand, row, running.prefill_rows()));
    add_rows(adapters, row, running.prefill_rows(), running.prompt->adapter);
    // Placeholders may lie beyond the embedding's rows; what is looked up for them is overwritten.
    for (const std::int32_t id : running.prompt->ids) ids.push_back(id == options_.image_token ? 0 : id);
    ids.insert(ids.end(), running.prompt->suffix.begin(), running.prompt->suffix.end());
  }
  Pass pass = this->pass(adapters);
  const View x = embed_text(pass, config_, network_, ids);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    std::vector<ConstView> pictures;
    for (const std::int64_t picture : batch[i].prompt->pictures)
      pictures.emplace_back(reinterpret_cast<const float*>(pictures_[static_cast<std::size_t>(picture)].get()),
                            config_.vision.tokens(), x.cols);
    insert_pictures(pass, batch[i].prompt->ids, options_.image_token, pictures, x, sequences[i].row);
  }
  const bool whole = options_.whole_last_block || tap;
  const View y = decoder(pass, config_, network_, x, pool_.cache(), sequences,
                         whole ? std::span<const std::int64_t>{} : predicting);

  std::int64_t next = 0;  // row of y
  for (std::size_t b = 0; b < batch.size(); ++b) {
    Running& running = batch[b];
    running.cached = running.prefill_rows();
    const auto& suffix = running.prompt->suffix;
    if (whole) next = sequences[b].row + sequences[b].rows - predicting[b];
    const ConstView rows = y.row_range(next, predicting[b]);
    next += predicting[b];
    for (std::int64_t first = 0; first < rows.rows; first += kLogitRows) {
      const ArenaScope inner(arena_);
      const std::int64_t count = std::min(kLogitRows, rows.rows - first);
      adapters.clear();
      add_rows(adapters, 0, count, running.prompt->adapter);
      pass.adapters = adapters;
      const View l = logits(pass, config_, network_, rows.row_range(first, count), config_.numerics.caps_prompt_logits);
      for (std::int64_t r = 0; r < l.rows; ++r) {
        const std::span<const float> row = counted(l, r);
        const auto place = static_cast<std::size_t>(first + r);
        if (place == suffix.size()) {
          read_logits(running, row);
          break;
        }
        if (running.prompt->see_logits) running.prompt->see_logits(row);
        running.answer.ids.push_back(suffix[place]);
        running.answer.logprobs.push_back(logprob_of(row, suffix[place]));
        running.answer.margins.push_back(0);
      }
    }
    if (running.search) advance_beams(running);
  }
}

std::vector<std::int32_t> Engine::draft_for(const Running& running, std::int64_t most) const {
  // The token that ends the answer is not followed by another one.
  most = std::min<std::int64_t>(most, running.prompt->max_tokens - running.generated - 1);
  if (running.search || most <= 0) return {};
  return draft(running.answer.ids, running.prompt->hints, static_cast<std::size_t>(most));
}

// A strand is followed by what is guessed to come behind its last token, in rows of one causal run. Their logits count
// as far as the tokens chosen are those guessed; keys and values behind them are overwritten later.
void Engine::decode_step(std::span<Running*> batch) {
  const ArenaScope scope(arena_);
  std::vector<std::int32_t> ids;
  std::vector<Sequence> sequences;
  std::vector<AdapterRows> adapters;
  struct Row {
    Running* running;
    std::size_t place;  // behind the last token
  };
  std::vector<Row> rows_of;
  std::int64_t room = options_.draft_rows;
  for (const Running* running : batch) room -= static_cast<std::int64_t>(running->strands.size());
  for (std::size_t i = 0; i < batch.size(); ++i) {
    Running& running = *batch[i];
    const auto left = static_cast<std::int64_t>(batch.size() - i);
    running.guesses = draft_for(running, (room + left - 1) / left);
    room -= static_cast<std::int64_t>(running.guesses.size());
    const std::size_t rows = 1 + running.guesses.size();
    for (Running::Strand& strand : running.strands) {
      const auto row = static_cast<std::int64_t>(ids.size()), count = static_cast<std::int64_t>(rows);
      pool_.make_writable(backend_, strand.blocks, running.cached, running.cached + count);
      sequences.push_back(running.sequence(strand, row, count));
      add_rows(adapters, row, count, running.prompt->adapter);
      ids.push_back(strand.last);
      ids.insert(ids.end(), running.guesses.begin(), running.guesses.end());
      for (std::size_t place = 0; place < rows; ++place) rows_of.push_back({&running, place});
    }
  }
  Pass pass = this->pass(adapters);
  const View y = decoder(pass, config_, network_, embed_text(pass, config_, network_, ids), pool_.cache(), sequences);
  for (std::int64_t first = 0; first < y.rows; first += kLogitRows) {
    const ArenaScope inner(arena_);
    const std::int64_t count = std::min(kLogitRows, y.rows - first);
    const std::span<const Row> rows =
        std::span(rows_of).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
    adapters.clear();
    for (std::int64_t r = 0; r < count; ++r)
      add_rows(adapters, r, 1, rows[static_cast<std::size_t>(r)].running->prompt->adapter);
    pass.adapters = adapters;
    const View l = logits(pass, config_, network_, y.row_range(first, count));
    for (std::int64_t r = 0; r < count; ++r) {
      const auto [running, place] = rows[static_cast<std::size_t>(r)];
      if (!running->reaches(place)) continue;
      running->read = place + 1;
      read_logits(*running, counted(l, r));
    }
  }
  for (Running* running : batch) {
    running->cached += static_cast<std::int64_t>(running->read);
    if (running->search) advance_beams(*running);
  }
}

std::vector<EngineAnswer> Engine::generate(std::span<const EnginePrompt> prompts, const std::function<bool()>& stop) {
  const auto check_stop = [&] {
    if (stop && stop()) fail(ErrorKind::failure, "interrupted", "interrupted before the answer was complete");
  };
  std::vector<Running> all(prompts.size());
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    all[i].prompt = &prompts[i];
    if (all[i].capacity() > config_.decoder.max_positions)
      fail(ErrorKind::usage, "prompt_too_long", "the prompt is too long: expected at most ",
           config_.decoder.max_positions, " tokens with the answer, got ", prompts[i].ids.size(), " + ",
           prompts[i].suffix.size(), " + ", prompts[i].max_tokens);
    Beams beams = prompts[i].beams;
    if (beams.score == BeamScore::automatic) beams.score = config_.numerics.beam_score;
    check_decoding(prompts[i].sampling, beams);
    if (beams.count > 1 && prompts[i].max_tokens > 0)
      all[i].search.emplace(beams, options_.eos_token, prompts[i].max_tokens);
  }
  std::int64_t free_blocks = reserve_cache(all);
  std::vector<Running*> active;
  for (std::size_t next = 0; next < all.size() || !active.empty();) {
    check_stop();
    if (const std::size_t count = admissible(std::span(all).subspan(next), free_blocks); count > 0) {
      const Stopwatch watch(timings.prefill);
      const std::span<Running> begun = std::span(all).subspan(next, count);
      prefill(begun);
      for (Running& running : begun) {
        active.push_back(&running);
        free_blocks -= running.most_blocks();
      }
      next += count;
    } else {
      const Stopwatch watch(timings.decode);
      decode_step(active);
    }
    for (const Running* running : active)
      if (running->done) free_blocks += running->most_blocks();
    std::erase_if(active, [](const Running* running) { return running->done; });
  }
  std::vector<EngineAnswer> answers;
  for (Running& running : all) answers.push_back(std::move(running.answer));
  return answers;
}

}  // namespace paligemma
