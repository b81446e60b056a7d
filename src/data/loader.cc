#include "data/loader.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <unordered_map>

#include "base/error.h"

namespace paligemma {
namespace {

// Distinct uses of the seed.
constexpr std::uint64_t kOrderSeed = 1, kExampleSeed = 2, kAnswerSeed = 3;

struct Place {
  std::uint64_t epoch = 0, position = 0;
};

// What a thread makes of a place; one of the three.
struct Made {
  std::optional<Example> example;
  std::string unreadable;
  std::exception_ptr error;
};

int thread_count(int asked) {
  if (asked > 0) return asked;
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()) - 1);
}

std::vector<std::size_t> flat(const std::vector<std::vector<std::size_t>>& groups) {
  std::vector<std::size_t> all;
  for (const std::vector<std::size_t>& group : groups) all.insert(all.end(), group.begin(), group.end());
  return all;
}

}  // namespace

std::vector<std::vector<std::size_t>> groups_of(const Dataset& data, const std::vector<std::size_t>& places,
                                                bool together) {
  std::vector<std::vector<std::size_t>> groups;
  std::unordered_map<std::string_view, std::size_t> known;
  for (const std::size_t place : places) {
    const auto [group, fresh] = known.emplace(data.samples[place].picture.name, groups.size());
    if (together && !fresh)
      groups[group->second].push_back(place);
    else
      groups.push_back({place});
  }
  return groups;
}

std::vector<std::size_t> epoch_order(std::vector<std::vector<std::size_t>> groups, std::uint64_t seed,
                                     std::uint64_t epoch) {
  Dice dice(seed_of(seed, kOrderSeed, epoch));
  dice.shuffle(groups);
  std::vector<std::size_t> order;
  for (std::vector<std::size_t>& group : groups) {
    dice.shuffle(group);
    order.insert(order.end(), group.begin(), group.end());
  }
  return order;
}

std::vector<std::size_t> places_of(const Dataset& data, Split split) {
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < data.samples.size(); ++i)
    if (data.samples[i].split == split) places.push_back(i);
  return places;
}

namespace {

// Pictures as the model sees them, for samples about one picture that follow each other: resizing is most of the work.
class LastPictures {
 public:
  struct Name {
    std::uint64_t epoch = 0;
    std::string picture{};
    int width = 0, height = 0;  // before it was resized
    bool operator==(const Name&) const = default;
  };

  std::optional<Picture> find(const Name& name) {
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(kept_, name, &Kept::name);
    return found == kept_.end() ? std::nullopt : std::optional(found->picture);
  }
  void keep(Name name, const Picture& picture) {
    constexpr std::size_t kMost = 16;
    const std::lock_guard lock(mutex_);
    kept_.push_front({std::move(name), picture});
    if (kept_.size() > kMost) kept_.pop_back();
  }

 private:
  struct Kept {
    Name name;
    Picture picture;
  };
  std::mutex mutex_;
  std::deque<Kept> kept_;
};

Picture resized(const Picture& picture, const LoaderOptions& options) {
  return resize(picture, options.side, options.side, options.resize, options.filter);
}

// `last` may be null.
Example example_of(const Dataset& data, std::size_t sample, const LoaderOptions& options, std::uint64_t epoch,
                   LastPictures* last) {
  const Sample& source = data.samples[sample];
  DecodedSample decoded = sample_in_epoch(data, sample, epoch, options.decode);
  Dice dice(seed_of(seed_of(options.seed, kExampleSeed, epoch), sample));
  if (options.augment.moves()) move_sample(decoded, data.classes, options.augment, dice);
  Example example{.epoch = epoch, .sample = sample, .width = decoded.picture.width, .height = decoded.picture.height};
  TargetOptions target = options.target;
  target.shuffle = target.shuffle && !decoded.ordered;
  example.target =
      make_target(decoded, data.classes, target, dice, seed_of(seed_of(options.seed, kAnswerSeed), sample), epoch);
  if (last && options.together && !options.augment.moves()) {
    const LastPictures::Name name{epoch, source.picture.name, example.width, example.height};
    if (std::optional<Picture> found = last->find(name)) {
      example.picture = std::move(*found);
    } else {
      example.picture = resized(decoded.picture, options);
      last->keep(name, example.picture);
    }
  } else {
    example.picture = resized(decoded.picture, options);
  }
  if (options.augment.any()) tint_picture(example.picture, options.augment, dice);
  example.weight = source.weight;
  if (decoded.things)
    example.things = std::move(decoded.things);
  else if (decoded.task == SampleTask::detect || decoded.task == SampleTask::segment)
    example.things = std::move(decoded.objects);
  example.letters = std::move(decoded.letters);
  return example;
}

Made made_of(const Dataset& data, std::size_t sample, const LoaderOptions& options, std::uint64_t epoch,
             LastPictures& last) {
  Made made;
  try {
    made.example = example_of(data, sample, options, epoch, &last);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::input) {
      made.unreadable = error.what();
    } else {
      made.error = std::current_exception();
    }
  } catch (...) {
    made.error = std::current_exception();
  }
  return made;
}

}  // namespace

Example make_example(const Dataset& data, std::size_t sample, const LoaderOptions& options, std::uint64_t epoch) {
  return example_of(data, sample, options, epoch, nullptr);
}

// Threads take places in order and put what they make under its number; next() takes the numbers in order. `turn`
// counts calls of seek(): what was begun before one is dropped.
struct Loader::Impl {
  const Dataset& data;
  LoaderOptions options;
  std::vector<std::vector<std::size_t>> groups;
  std::vector<std::size_t> subset;

  std::mutex mutex;
  std::condition_variable room, ready;
  bool stop = false;
  std::uint64_t turn = 0, given = 0, taken = 0;  // places handed to threads, and results handed on, since seek()
  Place begin;
  std::map<std::uint64_t, Made> made;
  std::map<std::uint64_t, std::shared_ptr<const std::vector<std::size_t>>> orders;  // of epochs that are in work
  std::vector<std::thread> threads;
  LastPictures last;

  std::vector<Skipped> skipped;
  std::set<std::size_t> known_skipped;
  std::uint64_t in_a_row = 0;

  Impl(const Dataset& of, const std::vector<std::size_t>& places, LoaderOptions how)
      : data(of), options(std::move(how)), groups(groups_of(data, places, options.together)), subset(flat(groups)) {}

  Place place(std::uint64_t number) const {
    const std::uint64_t position = begin.position + number;
    return {begin.epoch + position / subset.size(), position % subset.size()};
  }

  // With the mutex held.
  std::size_t sample_at(Place at) {
    auto& order = orders[at.epoch];
    if (!order)
      order = std::make_shared<const std::vector<std::size_t>>(
          options.shuffle ? epoch_order(groups, options.seed, at.epoch) : subset);
    orders.erase(orders.begin(), orders.lower_bound(place(taken).epoch));
    return (*orders.at(at.epoch))[at.position];
  }

  void work() {
    std::unique_lock lock(mutex);
    for (;;) {
      room.wait(lock, [&] { return stop || given < taken + static_cast<std::uint64_t>(options.ahead); });
      if (stop) return;
      const std::uint64_t number = given++, of_turn = turn;
      const Place at = place(number);
      const std::size_t sample = sample_at(at);
      lock.unlock();
      Made result = made_of(data, sample, options, at.epoch, last);
      lock.lock();
      if (of_turn != turn) continue;
      made.emplace(number, std::move(result));
      ready.notify_one();
    }
  }
};

Loader::Loader(const Dataset& data, std::vector<std::size_t> subset, LoaderOptions options) {
  if (subset.empty())
    fail(ErrorKind::usage, "data_empty", "cannot use the data: ", data.root.native(), ": expected samples, got none");
  if (options.resize == Resize::keras)
    fail(ErrorKind::usage, "bad_value", "--resize keras: expected a resize to 8 bits for training, got one to floats");
  options.ahead = std::max(options.ahead, 1);
  const int threads = std::min(thread_count(options.threads), options.ahead);
  impl_ = std::make_unique<Impl>(data, subset, std::move(options));
  for (int i = 0; i < threads; ++i) impl_->threads.emplace_back([impl = impl_.get()] { impl->work(); });
}

Loader::~Loader() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stop = true;
  }
  impl_->room.notify_all();
  for (std::thread& thread : impl_->threads) thread.join();
}

Example Loader::next() {
  for (;;) {
    std::unique_lock lock(impl_->mutex);
    impl_->ready.wait(lock, [&] { return impl_->made.contains(impl_->taken); });
    Made made = std::move(impl_->made.extract(impl_->taken).mapped());
    const Place at = impl_->place(impl_->taken);
    const std::size_t sample = impl_->sample_at(at);
    ++impl_->taken;
    impl_->room.notify_all();
    lock.unlock();
    if (made.error) std::rethrow_exception(made.error);
    if (made.example) {
      impl_->in_a_row = 0;
      made.example->position = at.position;
      return std::move(*made.example);
    }
    if (impl_->known_skipped.insert(sample).second) impl_->skipped.push_back({sample, made.unreadable});
    if (++impl_->in_a_row >= impl_->subset.size())
      fail(ErrorKind::input, "data_unreadable", "cannot use the data: ", impl_->data.root.native(),
           ": expected pictures, got none that can be read in ", impl_->in_a_row,
           " samples, the last: ", made.unreadable);
  }
}

void Loader::seek(std::uint64_t epoch, std::uint64_t position) {
  const std::lock_guard lock(impl_->mutex);
  ++impl_->turn;
  impl_->given = impl_->taken = 0;
  impl_->begin = {epoch, position};
  impl_->made.clear();
  impl_->orders.clear();
  impl_->in_a_row = 0;
  impl_->room.notify_all();
}

std::size_t Loader::epoch_size() const { return impl_->subset.size(); }

const std::vector<Skipped>& Loader::skipped() const { return impl_->skipped; }

}  // namespace paligemma
