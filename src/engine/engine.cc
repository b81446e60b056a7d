#include "engine/engine.h"

#include <algorithm>
#include <chrono>
#include <numeric>

#include "base/error.h"
#include "engine/decoding.h"

namespace paligemma {
namespace {

// Rows that go through the decoder at once: enough to keep the products efficient, few enough that activations stay
// far below the weights. One prompt is never split, its prefix sees all of itself.
constexpr std::int64_t kPrefillRows = 1024;
// Rows of logits at once; a row of the real vocabulary takes 1 MiB.
constexpr std::int64_t kLogitRows = 16;
// Rows of patches that go through the vision tower at once.
constexpr std::int64_t kVisionRows = 1024;

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
  Sequence sequence(const Strand& strand, std::int64_t row, std::int64_t rows) const {
    return {row, rows, cached, prompt->prefix, strand.blocks};
  }
};

Engine::Engine(Backend& backend, const Config& config, const Network& network, const EngineOptions& options)
    : backend_(backend), config_(config), network_(network), options_(options), arena_(backend) {}

void Engine::encode_pictures(ConstView patches, std::span<const AdapterSet* const> adapters) {
  const Stopwatch watch(timings.vision);
  const std::int64_t tokens = config_.vision.tokens();
  const std::int64_t at_once =
      std::clamp<std::int64_t>(patches.rows / tokens, 1, std::max<std::int64_t>(1, kVisionRows / tokens));
  if (at_once > vision_batch_) {
    vision_memory_ = make_vision_memory(backend_, config_.vision, at_once, options_.precision);
    vision_batch_ = at_once;
  }
  const std::int64_t width = config_.decoder.width;
  picture_storage_ = backend_.allocate(static_cast<std::size_t>(patches.rows * width) * sizeof(float));
  pictures_ = {reinterpret_cast<float*>(picture_storage_.get()), patches.rows, width};
  for (std::int64_t row = 0; row < patches.rows; row += at_once * tokens) {
    const ArenaScope scope(arena_);
    const std::int64_t rows = std::min(at_once * tokens, patches.rows - row);
    std::vector<AdapterRows> table;
    for (std::int64_t at = 0; at < rows && !adapters.empty(); at += tokens)
      add_rows(table, at, tokens, adapters[static_cast<std::size_t>((row + at) / tokens)]);
    Pass pass = this->pass(table);
    const View features =
        vision_tower(pass, config_.vision, network_.vision, patches.row_range(row, rows), vision_memory_);
    backend_.copy(projector(pass, network_, features), pictures_.row_range(row, rows));
  }
}

void Engine::reserve_cache(std::span<const Running> all) {
  std::int64_t blocks = 0;
  for (const Running& running : all) blocks += running.most_blocks();
  const DecoderConfig& decoder = config_.decoder;
  const bool bf16 = options_.precision != Precision::f32 || config_.numerics.bf16_cache;
  pool_.reset(backend_,
              {.layers = decoder.layers,
               .kv_heads = decoder.kv_heads,
               .head_size = decoder.head_size,
               .dtype = bf16 ? DType::bf16 : DType::f32},
              blocks);
}

void Engine::insert_pictures(std::span<const Running> batch, View x) {
  const std::int64_t tokens = config_.vision.tokens();
  std::int64_t row = 0;
  for (const Running& running : batch) {
    std::int64_t placeholder = 0;
    for (const std::int32_t id : running.prompt->ids) {
      if (id == options_.image_token) {
        const std::int64_t picture = running.prompt->pictures[static_cast<std::size_t>(placeholder / tokens)];
        backend_.copy(pictures_.row_range(picture * tokens + placeholder % tokens, 1), x.row_range(row, 1));
        ++placeholder;
      }
      ++row;
    }
    row += static_cast<std::int64_t>(running.prompt->suffix.size());
  }
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

// The logits that follow a strand; those of all strands in order.
void Engine::read_logits(Running& running, std::span<const float> logits) {
  if (running.search)
    running.continuations.push_back(running.search->continuations(logits, options_.real_vocabulary));
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
    choice = choose(logits, options_.real_vocabulary, history, prompt.sampling, config_.numerics.top_p_keeps_ties,
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
  insert_pictures(batch, x);
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

void Engine::decode_step(std::span<Running*> batch) {
  const ArenaScope scope(arena_);
  std::vector<std::int32_t> ids;
  std::vector<Sequence> sequences;
  std::vector<AdapterRows> adapters;
  std::vector<Running*> of_row;
  for (Running* running : batch) {
    for (Running::Strand& strand : running->strands) {
      const auto row = static_cast<std::int64_t>(ids.size());
      pool_.make_writable(backend_, strand.blocks, running->cached, running->cached + 1);
      sequences.push_back(running->sequence(strand, row, 1));
      add_rows(adapters, row, 1, running->prompt->adapter);
      ids.push_back(strand.last);
      of_row.push_back(running);
    }
    ++running->cached;
  }
  Pass pass = this->pass(adapters);
  const View y = decoder(pass, config_, network_, embed_text(pass, config_, network_, ids), pool_.cache(), sequences);
  for (std::int64_t first = 0; first < y.rows; first += kLogitRows) {
    const ArenaScope inner(arena_);
    const std::int64_t count = std::min(kLogitRows, y.rows - first);
    const std::span<Running*> running =
        std::span(of_row).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
    adapters.clear();
    for (std::int64_t r = 0; r < count; ++r)
      add_rows(adapters, r, 1, running[static_cast<std::size_t>(r)]->prompt->adapter);
    pass.adapters = adapters;
    const View l = logits(pass, config_, network_, y.row_range(first, count));
    for (std::int64_t r = 0; r < count; ++r) read_logits(*running[static_cast<std::size_t>(r)], counted(l, r));
  }
  for (Running* running : batch)
    if (running->search) advance_beams(*running);
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
  reserve_cache(all);

  for (std::size_t first = 0; first < all.size();) {
    check_stop();
    const Stopwatch watch(timings.prefill);
    std::size_t count = 1;
    std::int64_t rows = all[first].prefill_rows();
    while (first + count < all.size() && (rows += all[first + count].prefill_rows()) <= kPrefillRows) ++count;
    prefill(std::span(all).subspan(first, count));
    first += count;
  }
  {
    const Stopwatch watch(timings.decode);
    std::vector<Running*> active;
    while (true) {
      active.clear();
      for (Running& running : all)
        if (!running.done) active.push_back(&running);
      if (active.empty()) break;
      check_stop();
      decode_step(active);
    }
  }
  std::vector<EngineAnswer> answers;
  for (Running& running : all) answers.push_back(std::move(running.answer));
  return answers;
}

}  // namespace paligemma
